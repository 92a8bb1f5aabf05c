#!/bin/bash
# The pair's lock on this host. Arguments: take FILE CONTENT | read FILE | drop FILE CONTENT.
# In /run, so that a reboot frees it. The first line of the answer says what is: taken, held, free, dropped; after
# `held` comes the file's text.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 077
act=$1 file=$2 content=${3-}
directory=${file%/*}

show() {
    local text=
    { IFS= read -r -d '' -n 8192 text <"$file"; } 2>/dev/null
    if [[ -n $text || -e $file || -L $file ]]; then
        printf 'held\n%s' "$text"
    else
        printf 'free\n'
    fi
}

take() {
    [[ -d $directory ]] || mkdir -m 700 "$directory" 2>/dev/null || [[ -d $directory ]] || exit 1
    # noclobber opens with O_EXCL: of two takers at once exactly one succeeds. The other may read it before it is filled.
    set -o noclobber
    if { : >"$file"; } 2>/dev/null; then
        printf '%s\n' "$content" >|"$file" || { rm -f -- "$file"; exit 1; }
        printf 'taken\n'
    else
        show
    fi
}

drop() {
    local line=
    { IFS= read -r line <"$file"; } 2>/dev/null
    if [[ $line == "$content" ]]; then
        rm -f -- "$file" && printf 'dropped\n'
    else
        show
    fi
}

case $act in
    take) take ;;
    read) show ;;
    drop) drop ;;
    *) exit 2 ;;
esac
