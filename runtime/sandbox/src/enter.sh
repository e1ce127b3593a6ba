# Runs in a host's own namespaces, as the first process of them. $1 the host's folder, $2 its name.
set -e
mount -a -T "$1/fstab"
echo "$2" > /proc/sys/kernel/hostname
cd "$1/root"
mkdir -p run/sshd run/lock
pivot_root . mnt
cd /
umount -l /mnt
exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config
