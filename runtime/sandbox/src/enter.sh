# Runs in a host's own namespaces. $1 the host's folder, $2 the sandbox's folder, $3 name,
# $4 address, $5 size of /var/lib/sealer in bytes or nothing. Passwords come on standard input.
set -e
root=$1/root
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work,index=off" overlay "$root"
cd "$root"
hostname "$3"

# Nothing of this machine's secrets: its home folders, its SSH keys, its own state.
mount -t tmpfs -o mode=700 tmpfs root
mkdir -p home && mount -t tmpfs -o mode=755 tmpfs home
key=$(cat "$1/host_key")
pub=$(cat "$1/host_key.pub")
mount -t tmpfs -o mode=755 tmpfs etc/ssh
printf '%s\n' "$key" > etc/ssh/host_key
printf '%s\n' "$pub" > etc/ssh/host_key.pub
chmod 600 etc/ssh/host_key

rm -f etc/hostname etc/machine-id
echo "$3" > etc/hostname
echo "127.0.0.1 localhost" > etc/hosts
echo "$4 $3" >> etc/hosts
cat /proc/sys/kernel/random/uuid | tr -d - > etc/machine-id

mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p run/sshd run/lock var/lib/sealer
hidden=${2#/}
if [ -d "$hidden" ]; then mount -t tmpfs tmpfs "$hidden"; fi
if [ -n "$5" ]; then
    mount -t tmpfs -o "size=$5,mode=755" tmpfs var/lib/sealer
else
    mount --bind "$1/data" var/lib/sealer
fi
mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs -o ro sysfs sys || mount --rbind /sys sys

chroot . useradd -M -s /bin/bash ops 2>/dev/null || true
mkdir -p home/ops && chroot . chown ops home/ops
chroot . chpasswd -c SHA512
if [ -d etc/sudoers.d ]; then
    echo 'ops ALL=(ALL:ALL) ALL' > etc/sudoers.d/ops
    chmod 440 etc/sudoers.d/ops
fi
cat > etc/ssh/sshd_config <<CONFIG
HostKey /etc/ssh/host_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
MaxStartups 500
MaxSessions 100
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
CONFIG

mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old 2>/dev/null || true
exec chroot . /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config < /dev/null
