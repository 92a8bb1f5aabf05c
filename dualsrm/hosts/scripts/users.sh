#!/bin/bash
# Who uses files below a mount point. Argument: its path, which the configuration keeps free of pattern characters.
# One line each: `command (pid)`.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
declare -A seen=()
while IFS=/ read -r _ _ pid _; do
    [[ -z ${seen[$pid]-} ]] || continue
    seen[$pid]=yes
    name=
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null
    printf '%s (%s)\n' "${name:-gone}" "$pid"
done < <(find /proc/[0-9]*/fd /proc/[0-9]*/cwd /proc/[0-9]*/root '(' -lname "$1" -o -lname "$1/*" ')' 2>/dev/null)
exit 0
