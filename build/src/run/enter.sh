# Runs in mount and process namespaces of its own. $1 scratch folder, $2 the image so far,
# $3 further overlay options, $4 the command. All that is mounted here goes with the namespace.
set -e
machine=$1/machine
plain=index=off,redirect_dir=off,metacopy=off$3
[ -z "$3" ] || plain=${3#,}
mount -t overlay -o "lowerdir=/,upperdir=$1/machine-upper,workdir=$1/machine-work,$plain" overlay "$machine"
mkdir -p "$machine/run" "$machine/tmp" "$machine/var/tmp"
: > "$machine/run/sealer-entered"

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
mount -t proc proc "$machine/proc"
mount --rbind /sys "$machine/sys"
mount --rbind /dev "$machine/dev"
export PATH="$PATH:/run/sealer-rootfs/bin"
exec chroot "$machine" /bin/sh -c 'cd /run/sealer-rootfs && exec /bin/sh -c "$0"' "$4"
