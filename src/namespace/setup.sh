#!/bin/sh
# Runs as process 1 of new mount, pid, ipc and uts namespaces, on the host's shell and with the
# host's tools; nothing in the root is executed before the last lines, and then only inside of it.
# Every value is a positional parameter. The file "ready" tells a failure to set up from a
# failure of the command.
set -eu
root=$1 ctl=$2 network=$3 mount=$4 chroot=$5 setpriv=$6 sh=$7 ip=$8 caps=$9
shift 9

umask 022
# The name of the new host, in this namespace only. Refused where /proc/sys is read-only: no harm.
echo localhost 2>/dev/null >/proc/sys/kernel/hostname || :
if [ "$network" = none ] && [ -n "$ip" ]; then
    "$ip" link set lo up || :
fi

# A mount of its own for the root, on which device nodes are mere names.
cd "$root"
"$mount" --bind . .
cd "$root"
"$mount" -o remount,bind,nodev .

# Checked before by handle, and here again where it counts: nobody else is in this namespace.
for point in proc sys dev run; do
    if [ -L "$point" ] || [ ! -d "$point" ]; then
        echo "/$point is not a directory" >&2
        exit 1
    fi
done

"$mount" -t proc -o nosuid,nodev,noexec proc ./proc
# Root can write these without any capability, and they are the host's.
for path in sys sysrq-trigger irq bus fs; do
    if [ -e "proc/$path" ]; then
        "$mount" --bind "./proc/$path" "./proc/$path"
        "$mount" -o remount,bind,ro,nosuid,nodev,noexec "./proc/$path"
    fi
done
for path in kcore keys timer_list sched_debug latency_stats; do
    if [ -e "proc/$path" ]; then
        "$mount" --bind /dev/null "./proc/$path"
    fi
done

"$mount" -t sysfs -o ro,nosuid,nodev,noexec sysfs ./sys 2>/dev/null ||
    "$mount" -t tmpfs -o ro,nosuid,nodev,noexec,mode=755 tmpfs ./sys
"$mount" -t tmpfs -o nosuid,nodev,mode=755 tmpfs ./run

"$mount" -t tmpfs -o nosuid,nodev,noexec,mode=755 tmpfs ./dev
for device in null zero full random urandom tty; do
    : >"./dev/$device"
    "$mount" --bind "/dev/$device" "./dev/$device"
done
mkdir ./dev/pts ./dev/shm
"$mount" -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=620,gid=5 devpts ./dev/pts
"$mount" -t tmpfs -o nosuid,nodev,noexec,mode=1777 tmpfs ./dev/shm
ln -s pts/ptmx ./dev/ptmx
ln -s /proc/self/fd ./dev/fd
ln -s /proc/self/fd/0 ./dev/stdin
ln -s /proc/self/fd/1 ./dev/stdout
ln -s /proc/self/fd/2 ./dev/stderr

# A copy: what is written to it is gone afterwards.
if [ -e "$ctl/resolv.conf" ]; then
    if [ -L etc ] || [ -L etc/resolv.conf ] || [ ! -f etc/resolv.conf ]; then
        echo "/etc/resolv.conf is not a file" >&2
        exit 1
    fi
    "$mount" --bind "$ctl/resolv.conf" ./etc/resolv.conf
fi

# setpriv does not say when it could not take the capabilities away.
confined() {
    while read -r key value; do
        if [ "$key" = CapBnd: ]; then
            # Bit 21 is CAP_SYS_ADMIN.
            return $((0x$value >> 21 & 1))
        fi
    done
    return 1
}
# shellcheck disable=SC2016 # The inner shell reads its own lines.
if ! "$setpriv" --bounding-set "$caps" --inh-caps -all -- "$sh" -c \
    'while read -r line; do echo "$line"; done </proc/self/status' | confined; then
    echo "capabilities cannot be taken away here" >&2
    exit 1
fi

# Covers the host's tree, so that it cannot be reached by leaving the chroot. To uncover it one
# would have to unmount, which the capabilities left below do not allow.
"$mount" --move . /
: >"$ctl/ready"
set +e
"$setpriv" --bounding-set "$caps" --inh-caps -all -- "$chroot" . /usr/bin/env -i "$@"
code=$?
# This shell stays process 1: it takes in what the command leaves running, and ends it now.
exit "$code"
