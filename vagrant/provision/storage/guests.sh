#!/bin/bash
# Define the storage guest and its clients: the lab's own guests with another name, address, disk and initramfs, and 32 MiB
# more, which the modules for NFS need. Under emulation the memory may be no multiple of 256 KiB: vagrant/README.md.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

definition() { # name, number, resources, words
    local name=$1 number=$2 resources=$3 words=$4 like=(web 21 /dev/drbd0 -)
    [[ $resources != *,* ]] || like=(db 23 /dev/drbd/by-res/db-data/0 /dev/drbd/by-res/db-log/0)
    sed -e "s|<name>${like[0]}<|<name>$name<|; s|score.name=${like[0]} |score.name=$name |; s|/${like[0]}.console|/$name.console|" \
        -e "s|000000${like[1]}<|000000$number<|; s|10.79.0.${like[1]}/|10.79.0.$number/|; s|00:79:00:${like[1]}|00:79:00:$number|" \
        -e "s|'${like[2]}'|'/dev/drbd/by-res/${resources%,*}/0'|; s|'${like[3]}'|'/dev/drbd/by-res/${resources#*,}/0'|" \
        -e "s|initramfs.gz|storage.gz|; s|</cmdline>| $words</cmdline>|; s|>96</memory>|>128</memory>|; s|98312K|131080K|" \
        "$here/../guests/${like[0]}.xml"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
while read -r name number _ resources words; do
    [[ $name != '#' ]] || continue
    definition "$name" "$number" "$resources" "$words" >"$work/$name.xml"
done <"$here/guests.list"
if [[ ${1:-} == --into ]]; then # only to look at: guests.sh --into DIRECTORY
    cp "$work"/*.xml "$2"
    exit
fi
for each in "$work"/*.xml; do virsh --quiet define "$each"; done
