#!/bin/sh
# Runs first in a host of systemd-nspawn: control groups become writable, and the kernel's settings
# that no namespace has become files of this host, so that a host changes only itself.
mount -o remount,rw /sys/fs/cgroup
for controller in /sys/fs/cgroup/*/; do
    mount -o remount,rw,bind "$controller" 2> /dev/null
done

own=/run/lab/sys
mkdir -p /run/lab/kernel
for folder in vm kernel fs; do
    mkdir -p "$own/$folder"
    for file in /proc/sys/$folder/*; do
        if [ -f "$file" ] && [ -r "$file" ]; then
            cat "$file" > "$own/$folder/${file##*/}" 2> /dev/null
        fi
    done
done
for folder in inotify mqueue epoll quota; do
    mkdir -p "$own/fs/$folder"
    for file in /proc/sys/fs/$folder/*; do
        if [ -f "$file" ] && [ -r "$file" ]; then cat "$file" > "$own/fs/$folder/${file##*/}" 2> /dev/null; fi
    done
done
mkdir -p "$own/kernel/random" "$own/kernel/keys"
for file in /proc/sys/kernel/keys/*; do cat "$file" > "$own/kernel/keys/${file##*/}" 2> /dev/null; done

# The host's name and its random numbers stay the kernel's.
mount --rbind /proc/sys/kernel /run/lab/kernel
mount --make-rprivate /run/lab/kernel
for folder in vm kernel fs; do
    mount --bind "$own/$folder" "/proc/sys/$folder"
done
touch "$own/kernel/hostname"
mount --bind /run/lab/kernel/hostname /proc/sys/kernel/hostname
mount --rbind /run/lab/kernel/random /proc/sys/kernel/random
mount --make-rshared /
