# Runs in mount, process, host name and IPC namespaces of its own. $1 scratch folder, $2 the image
# so far, $3 the command. What is mounted here goes with the namespace.
set -e
umask 022
machine=$1/machine
plain=index=off,redirect_dir=off,metacopy=off
mount -t overlay -o "lowerdir=/,upperdir=$1/machine-upper,workdir=$1/machine-work,$plain" overlay "$machine"
mkdir -p "$machine/run" "$machine/tmp" "$machine/var/tmp" "$machine/dev" "$machine/proc" "$machine/sys"

# Other file systems of this machine are seen, not written.
while read -r _ _ _ _ place _ rest; do
    case " $rest" in
    *" - "ext[234]" "* | *" - xfs "* | *" - btrfs "* | *" - f2fs "* | *" - vfat "* | *" - nfs"*)
        case $place in
        / | "$1"*) ;;
        *)
            if [ -d "$machine$place" ]; then
                mount --bind "$place" "$machine$place" && mount -o remount,bind,ro "$machine$place"
            fi
            ;;
        esac
        ;;
    esac
done < /proc/self/mountinfo

root=$machine/run/sealer-rootfs
mount -t tmpfs tmpfs "$machine/run"
mount -t tmpfs -o mode=1777 tmpfs "$machine/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$machine/var/tmp"
mkdir "$root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work,$plain" overlay "$root"

# Names are looked up as on this machine, also where a service keeps the file in /run.
names=$(readlink -f /etc/resolv.conf || true)
case $names in
/run/*)
    mkdir -p "$machine${names%/*}"
    if [ -e "$names" ]; then cp "$names" "$machine$names"; fi
    ;;
esac

# The kernel's settings are seen, not written.
mount -t proc proc "$machine/proc"
mount --bind "$machine/proc/sys" "$machine/proc/sys"
mount -o remount,bind,ro "$machine/proc/sys"
[ ! -e "$machine/proc/sysrq-trigger" ] || mount --bind /dev/null "$machine/proc/sysrq-trigger"
mount --bind /sys "$machine/sys" 2> /dev/null || mount --rbind /sys "$machine/sys"
mount -o remount,bind,ro "$machine/sys"

# Of the devices, those that every program may use.
mount -t tmpfs -o mode=755 tmpfs "$machine/dev"
for name in null zero full random urandom tty; do
    : > "$machine/dev/$name"
    mount --bind "/dev/$name" "$machine/dev/$name"
done
mkdir -m 1777 "$machine/dev/shm"
ln -s /proc/self/fd "$machine/dev/fd"
ln -s /proc/self/fd/0 "$machine/dev/stdin"
ln -s /proc/self/fd/1 "$machine/dev/stdout"
ln -s /proc/self/fd/2 "$machine/dev/stderr"

: > "$1/entered"
export PATH="$PATH:/run/sealer-rootfs/bin"
# The network is this machine's, to be used, not set up; so are its clock and its kernel's modules.
# The shell stays, as the first process, which signals do not reach; the command is its child.
exec chroot "$machine" setpriv --bounding-set=-net_admin,-sys_module,-sys_time,-sys_boot,-sys_rawio \
    /bin/sh -c 'cd /run/sealer-rootfs && unset OLDPWD && /bin/sh -c "$0"; exit $?' "$3"
