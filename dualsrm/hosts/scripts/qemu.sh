#!/bin/bash
# Whether a process runs with the arguments `-uuid UUID`, which is how libvirt starts QEMU. Argument: UUID.
# Prints the pids, then `complete`: without that word the answer is not an answer. The program's name is not asked for: a
# wrapper may change it, and to call a live QEMU absent is the one mistake that must not happen.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# One process narrows thousands down: grep names every command line that has the UUID as a whole argument. This shell's
# own is among them, which proves that grep and /proc did work.
mapfile -t files < <(grep --files-with-matches --null-data --line-regexp --fixed-strings --ignore-case -e "$1" \
    /proc/[0-9]*/cmdline 2>/dev/null)
worked=no
for file in "${files[@]}"; do
    pid=${file#/proc/} pid=${pid%/cmdline}
    [[ $pid == "$$" ]] && worked=yes
    words=()
    { mapfile -d '' -t words <"$file"; } 2>/dev/null
    for ((i = 1; i < ${#words[@]}; i++)); do
        if [[ ${words[i - 1]} == -uuid && ${words[i],,} == "$1" ]]; then
            printf '%s\n' "$pid"
            break
        fi
    done
done
[[ $worked == yes ]] && printf 'complete\n'
