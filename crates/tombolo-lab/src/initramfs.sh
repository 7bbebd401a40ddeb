#!/bin/busybox sh
# The first process of a guest: the host's root directory, read-only over 9p, with a RAM disk over
# it; then the lab's agent.
/bin/busybox --install -s /bin
export PATH=/bin
# To the console, where the lab finds it; the end of this process is a panic, and QEMU's end.
fail() { echo "tombolo-lab: $*" > /dev/console; exit 1; }
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
for word in $(cat /proc/cmdline); do
    case $word in
        tombolo_lab.name=*) name=${word#*=} ;;
        tombolo_lab.number=*) number=${word#*=} ;;
        tombolo_lab.modules=*) modules=${word#*=} ;;
        tombolo_lab.agent=*) agent=${word#*=} ;;
    esac
done
@MODULES@
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose lab-root /host ||
    fail "the host's root cannot be mounted"
mount -t tmpfs -o mode=0755 writable /writable
mkdir /writable/upper /writable/work
mount -t overlay -o lowerdir=/host,upperdir=/writable/upper,workdir=/writable/work root /new ||
    fail "no overlay over the host's root"
for directory in proc sys dev; do
    mkdir -p /new/$directory
    mount -o move /$directory /new/$directory
done
mkdir -p /new/dev/pts /new/dev/shm /new/mnt
mount -t devpts devpts /new/dev/pts
# What udev makes elsewhere, and what container runtimes look for.
ln -s /proc/self/fd /new/dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do
    ln -s "/proc/self/fd/${stream%:*}" "/new/dev/${stream#*:}"
done
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
mount -t tmpfs -o mode=1777 shm /new/dev/shm
mount -t tmpfs -o mode=0755 run /new/run
mkdir -m 1777 /new/run/lock
mount -t tmpfs -o mode=0755 mnt /new/mnt
cp -p /secret /new/run/tombolo-lab.secret || fail "no secret"
release=$(uname -r)
mkdir -p "/new/lib/modules/$release" || fail "no place for modules"
mount -o bind "/host$modules" "/new/lib/modules/$release" || fail "no modules at $modules"
hostname "$name"
{
    echo "127.0.0.1 localhost"
    echo "10.0.2.2 lab-host"
    for other in 1 2 3 4 5 6 7 8 9; do echo "10.77.0.$other guest-$other"; done
    echo "127.0.1.1 $name"
} > /new/etc/hosts
# In the order of QEMU's arguments: to the lab, to the host's services, to the other guests.
ip link set lo up
ip link set eth0 up && ip addr add 10.0.3.15/24 dev eth0 || fail "no network to the lab"
ip link set eth1 up && ip addr add 10.0.2.15/24 dev eth1 && ip route add default via 10.0.2.2 ||
    fail "no network to the host"
ip link set eth2 up && ip addr add "10.77.0.$number/24" dev eth2 || fail "no network to guests"
exec switch_root -c /dev/console /new "$agent" agent
