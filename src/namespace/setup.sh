# shellcheck shell=sh
# Runs as process 1 of new mount, pid, ipc and uts namespaces, on the host's shell and with the
# host's tools; nothing in the root is executed before the last lines, and then only inside of it.
# Every value is a positional parameter. The file "ready" tells a failure to set up from a
# failure of the command.
set -eu
ctl=$1 mount=$2 chroot=$3 setpriv=$4 sh=$5 caps=$6
shift 6

umask 022
# The name of the new host, in this namespace only. Refused where /proc/sys is read-only: no harm.
echo localhost 2>/dev/null >/proc/sys/kernel/hostname || :

# The root is the working directory, by handle: no name of it is looked up, as its neighbours may
# rename it. It becomes a mount of its own, on which device nodes are mere names.
root=$ctl/root own=$ctl/own
mkdir "$root" "$own"
"$mount" --no-canonicalize --bind . "$root"
"$mount" -o remount,bind,nodev "$root"

# What is mounted over the root's directories is built elsewhere first. Nothing is ever written
# through a name in the root: who can write there may put a link in the way at any time.
"$mount" -t tmpfs -o nosuid,nodev,noexec,mode=700 tmpfs "$own"
mkdir "$own/proc" "$own/sys" "$own/run" "$own/dev"
"$mount" -t proc -o nosuid,nodev,noexec proc "$own/proc"
# Root can write these without any capability, and they are the host's.
for path in sys sysrq-trigger irq bus fs; do
    if [ -e "$own/proc/$path" ]; then
        "$mount" --bind "$own/proc/$path" "$own/proc/$path"
        "$mount" -o remount,bind,ro,nosuid,nodev,noexec "$own/proc/$path"
    fi
done
for path in kcore keys timer_list sched_debug latency_stats; do
    if [ -e "$own/proc/$path" ]; then
        "$mount" --bind /dev/null "$own/proc/$path"
    fi
done

"$mount" -t sysfs -o ro,nosuid,nodev,noexec sysfs "$own/sys" 2>/dev/null ||
    "$mount" -t tmpfs -o ro,nosuid,nodev,noexec,mode=755 tmpfs "$own/sys"
"$mount" -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$own/run"

"$mount" -t tmpfs -o nosuid,nodev,noexec,mode=755 tmpfs "$own/dev"
for device in null zero full random urandom tty; do
    : >"$own/dev/$device"
    "$mount" --bind "/dev/$device" "$own/dev/$device"
done
mkdir "$own/dev/pts" "$own/dev/shm"
"$mount" -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$own/dev/pts"
"$mount" -t tmpfs -o nosuid,nodev,noexec,mode=1777 tmpfs "$own/dev/shm"
ln -s pts/ptmx "$own/dev/ptmx"
ln -s /proc/self/fd "$own/dev/fd"
ln -s /proc/self/fd/0 "$own/dev/stdin"
ln -s /proc/self/fd/1 "$own/dev/stdout"
ln -s /proc/self/fd/2 "$own/dev/stderr"

# Checked before by handle, and here again where it counts.
cd "$root"
for point in proc sys run dev; do
    if [ -L "$point" ] || [ ! -d "$point" ]; then
        echo "/$point is not a directory" >&2
        exit 1
    fi
    "$mount" --no-canonicalize --move "$own/$point" "./$point"
done

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
# shellcheck disable=SC2016 # the inner shell reads the line
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
