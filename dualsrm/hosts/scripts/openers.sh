#!/bin/bash
# Who holds /dev/drbdMINOR open. Argument: MINOR. One line each: `command (pid)`, `mounted on PATH`, `device NAME`.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
device=/dev/drbd$1
declare -A seen=()
while IFS=/ read -r _ _ pid _; do
    [[ -z ${seen[$pid]-} ]] || continue
    seen[$pid]=yes
    name=
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null
    printf '%s (%s)\n' "${name:-gone}" "$pid"
done < <(find /proc/[0-9]*/fd -lname "$device" 2>/dev/null)
while read -r source target _; do
    [[ $source == "$device" ]] && printf 'mounted on %s\n' "$target"
done </proc/self/mounts
for holder in "/sys/block/drbd$1/holders/"*; do
    [[ -e $holder || -L $holder ]] && printf 'device %s\n' "${holder##*/}"
done
exit 0
