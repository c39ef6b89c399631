//! [`Elf`]: what a program or a shared library needs from others, as its dynamic section says.
//!
//! A file may be made to deceive: every count and length is bounded, nothing is trusted to lie in
//! the file, and whatever does not fit makes the file none of this sort. Only headers and the few
//! texts that they name are read, whatever the file's size.

use std::io::{Read, SeekFrom};

use crate::tree::Content;

/// More program headers than any linker writes.
const MOST_HEADERS: u64 = 512;
/// More entries of a dynamic section than any linker writes.
const MOST_ENTRIES: u64 = 4096;
/// More libraries than one file needs.
const MOST_NEEDED: usize = 1024;
/// Longer than any name or list of directories.
const LONGEST_TEXT: u64 = 4096;
/// More bytes than the versions of one file take.
const MOST_VERSIONS: u64 = 256 * 1024;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERNEED: u64 = 0x6fff_fffe;

/// Which programs go together: those of one processor, width and byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Machine {
    wide: bool,
    big: bool,
    number: u16,
}

/// What a dynamically linked file needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Elf {
    pub(super) machine: Machine,
    /// The program that loads it; libraries have none.
    pub(super) loader: Option<Vec<u8>>,
    /// Names of libraries.
    pub(super) needed: Vec<Vec<u8>>,
    /// The name that others need it by.
    pub(super) soname: Option<Vec<u8>>,
    /// Where libraries are looked for first, with variables.
    pub(super) dirs: Vec<Vec<u8>>,
    /// Versions of libraries that it needs: the library's name, and the version's.
    pub(super) wants: Vec<(Vec<u8>, Vec<u8>)>,
    /// Versions that it has itself.
    pub(super) gives: Vec<Vec<u8>>,
}

impl Machine {
    /// How directories of libraries for this machine are named: `x86_64-linux-gnu` begins so.
    /// Empty for a machine that is not known.
    pub(super) fn triplets(self) -> &'static [&'static str] {
        match (self.number, self.wide, self.big) {
            (3, ..) => &["i386", "i486", "i586", "i686"],
            (62, true, _) => &["x86_64"],
            (40, _, false) => &["arm"],
            (183, _, false) => &["aarch64"],
            (21, _, false) => &["powerpc64le", "ppc64le"],
            (22, true, _) => &["s390x"],
            (243, true, _) => &["riscv64"],
            (258, true, _) => &["loongarch64"],
            (8, true, false) => &["mips64el"],
            (8, false, false) => &["mipsel"],
            _ => &[],
        }
    }
}

/// The parts of a file, by offsets that may be wrong.
struct Reading<'a, 'c> {
    content: &'a mut (dyn Content + 'c),
    machine: Machine,
}

impl Reading<'_, '_> {
    /// At most `length` bytes from `at` on.
    fn some(&mut self, at: u64, length: u64) -> Option<Vec<u8>> {
        self.content.seek(SeekFrom::Start(at)).ok()?;
        let mut bytes = Vec::new();
        let mut content = &mut *self.content;
        let taken = Read::by_ref(&mut content).take(length).read_to_end(&mut bytes);
        taken.is_ok().then_some(bytes)
    }

    fn exactly(&mut self, at: u64, length: u64) -> Option<Vec<u8>> {
        self.some(at, length).filter(|bytes| bytes.len() as u64 == length)
    }

    /// The number of `size` bytes at `at` in `bytes`.
    fn number(&self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(match self.machine.big {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        })
    }

    /// A number as wide as an address: at `narrow` in a file of 32 bits, at `wide` in one of 64.
    fn address(&self, bytes: &[u8], narrow: usize, wide: usize) -> Option<u64> {
        match self.machine.wide {
            true => self.number(bytes, wide, 8),
            false => self.number(bytes, narrow, 4),
        }
    }

    /// The text at `at`, up to its end.
    fn text(&mut self, at: u64) -> Option<Vec<u8>> {
        let mut text = self.some(at, LONGEST_TEXT)?;
        let end = text.iter().position(|&byte| byte == 0)?;
        text.truncate(end);
        Some(text)
    }
}

/// A run of the file that is in memory when the program runs.
struct Loaded {
    offset: u64,
    address: u64,
    length: u64,
}

fn offset_of(loaded: &[Loaded], address: u64) -> Option<u64> {
    let run = loaded.iter().find(|run| {
        address.checked_sub(run.address).is_some_and(|distance| distance < run.length)
    })?;
    run.offset.checked_add(address - run.address)
}

impl Elf {
    /// Reads the headers of `content`; `None` where it is no dynamically linked file.
    pub(super) fn read(content: &mut (dyn Content + '_)) -> Option<Elf> {
        let mut head = Vec::new();
        content.seek(SeekFrom::Start(0)).ok()?;
        Read::by_ref(&mut &mut *content).take(64).read_to_end(&mut head).ok()?;
        let (wide, big) = match head.get(..6)? {
            [0x7f, b'E', b'L', b'F', class @ 1..=2, order @ 1..=2] => (*class == 2, *order == 2),
            _ => return None,
        };
        let mut reading = Reading { content, machine: Machine { wide, big, number: 0 } };
        reading.machine.number = u16::try_from(reading.number(&head, 18, 2)?).ok()?;
        let table = reading.address(&head, 28, 32)?;
        let at = if wide { 54 } else { 42 };
        let (size, count) = (reading.number(&head, at, 2)?, reading.number(&head, at + 2, 2)?);
        let least = if wide { 56 } else { 32 };
        if size < least || size > 256 || count > MOST_HEADERS {
            return None;
        }
        let headers = reading.exactly(table, size * count)?;
        let (mut loaded, mut dynamic, mut loader) = (Vec::new(), None, None);
        for header in headers.chunks_exact(usize::try_from(size).ok()?) {
            let offset = reading.address(header, 4, 8)?;
            let length = reading.address(header, 16, 32)?;
            match reading.number(header, 0, 4)? {
                PT_LOAD => {
                    loaded.push(Loaded {
                        offset,
                        address: reading.address(header, 8, 16)?,
                        length,
                    });
                }
                PT_DYNAMIC => dynamic = Some((offset, length)),
                PT_INTERP => loader = reading.text(offset).filter(|text| text.starts_with(b"/")),
                _ => {}
            }
        }
        let (at, length) = dynamic?;
        reading.dynamic(at, length, &loaded, loader)
    }
}

impl Reading<'_, '_> {
    /// Reads the dynamic section, `length` bytes from `at` on.
    fn dynamic(
        &mut self,
        at: u64,
        length: u64,
        loaded: &[Loaded],
        loader: Option<Vec<u8>>,
    ) -> Option<Elf> {
        let (size, half) = if self.machine.wide { (16, 8) } else { (8, 4) };
        let section = self.some(at, length.min(MOST_ENTRIES * size as u64))?;
        let entries: Vec<(u64, u64)> = section
            .chunks_exact(size)
            .map_while(|entry| {
                Some((self.number(entry, 0, half)?, self.number(entry, half, half)?))
            })
            .take_while(|(tag, _)| *tag != 0)
            .collect();
        let one = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, v)| *v);
        let texts = offset_of(loaded, one(DT_STRTAB)?)?;
        let mut name = |at: u64| self.text(texts.checked_add(at)?);
        let needed = entries.iter().filter(|(tag, _)| *tag == DT_NEEDED).take(MOST_NEEDED);
        let needed: Vec<Vec<u8>> = needed.filter_map(|(_, at)| name(*at)).collect();
        let dirs = one(DT_RUNPATH).or(one(DT_RPATH)).and_then(&mut name).unwrap_or_default();
        let soname = one(DT_SONAME).and_then(&mut name);
        let mut versions = |tag: u64| -> Vec<u8> {
            let at = one(tag).and_then(|address| offset_of(loaded, address));
            at.and_then(|at| self.some(at, MOST_VERSIONS)).unwrap_or_default()
        };
        let (wanted, given) = (versions(DT_VERNEED), versions(DT_VERDEF));
        Some(Elf {
            machine: self.machine,
            loader,
            needed,
            soname,
            dirs: dirs
                .split(|&b| b == b':')
                .filter(|d| !d.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
            wants: self.wanted(&wanted, texts),
            gives: self.given(&given, texts),
        })
    }

    /// The list at the begin of `bytes` of the versions that are needed of libraries.
    fn wanted(&mut self, bytes: &[u8], texts: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut wanted = Vec::new();
        for at in self.chain(bytes, 0, 12) {
            let (file, inner) = (self.number(bytes, at + 4, 4), self.number(bytes, at + 8, 4));
            let Some(file) = file.and_then(|name| self.text(texts.checked_add(name)?)) else {
                continue;
            };
            let first = inner.and_then(|inner| at.checked_add(usize::try_from(inner).ok()?));
            let all = first.map(|first| self.chain(bytes, first, 12)).unwrap_or_default();
            for one in all.into_iter().take(MOST_NEEDED.saturating_sub(wanted.len())) {
                let name = self.number(bytes, one + 8, 4);
                let name = name.and_then(|name| self.text(texts.checked_add(name)?));
                wanted.extend(name.map(|name| (file.clone(), name)));
            }
        }
        wanted
    }

    /// The list at the begin of `bytes` of the versions that are defined.
    fn given(&mut self, bytes: &[u8], texts: u64) -> Vec<Vec<u8>> {
        let mut given = Vec::new();
        for at in self.chain(bytes, 0, 16) {
            let inner = self.number(bytes, at + 12, 4);
            let inner = inner.and_then(|inner| at.checked_add(usize::try_from(inner).ok()?));
            let name = inner.and_then(|inner| self.number(bytes, inner, 4));
            given.extend(name.and_then(|name| self.text(texts.checked_add(name)?)));
        }
        given
    }

    /// Where the links of a chain of records begin; the distance to the next one stands at `next`.
    fn chain(&self, bytes: &[u8], first: usize, next: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = first;
        while found.len() < MOST_NEEDED
            && let Some(step) = at.checked_add(next).and_then(|next| self.number(bytes, next, 4))
        {
            found.push(at);
            let step = usize::try_from(step).unwrap_or(0);
            // A chain goes on, or it ends.
            if step == 0 {
                break;
            }
            at = at.saturating_add(step);
        }
        found
    }
}

#[cfg(test)]
pub(crate) mod testing {
    /// A library or program of 64 bits for `number`, made of what a test is about: names of
    /// libraries, directories to look in, a loader.
    pub(crate) fn elf(number: u8, needed: &[&str], runpath: &str, loader: Option<&str>) -> Vec<u8> {
        let mut texts = vec![0];
        let mut put = |text: &str| {
            let at = texts.len() as u64;
            texts.extend_from_slice(text.as_bytes());
            texts.push(0);
            at
        };
        let mut entries: Vec<(u64, u64)> = needed.iter().map(|name| (1, put(name))).collect();
        if !runpath.is_empty() {
            entries.push((29, put(runpath)));
        }
        let loader = loader.map(&mut put);
        let texts_at = 64 + 3 * 56;
        entries.push((5, texts_at));
        entries.push((0, 0));
        let dynamic_at = texts_at + texts.len() as u64;
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        file.resize(16, 0);
        file.extend([3, 0, number, 0, 1, 0, 0, 0]);
        file.extend(0_u64.to_le_bytes());
        file.extend(64_u64.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.extend([0, 0, 0, 0, 64, 0, 56, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        let end = dynamic_at + 16 * entries.len() as u64;
        let dynamic = (2_u32, dynamic_at, end - dynamic_at);
        let interp = loader.map_or((0, 0, 0), |at| (3, texts_at + at, 1));
        for (kind, offset, length) in [(1, 0, end), dynamic, interp] {
            file.extend(kind.to_le_bytes());
            file.extend(0_u32.to_le_bytes());
            for number in [offset, offset, offset, length, length, 8] {
                file.extend(number.to_le_bytes());
            }
        }
        file.extend(texts);
        for (tag, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::testing::elf;
    use super::*;

    #[test]
    fn what_a_program_needs_is_read() {
        let loader = "/lib64/ld-linux-x86-64.so.2";
        let file = elf(62, &["liba.so.1", "libc.so.6"], "$ORIGIN/../lib:/opt/lib", Some(loader));
        let read = Elf::read(&mut Cursor::new(file)).unwrap();
        assert_eq!(read.machine, Machine { wide: true, big: false, number: 62 });
        assert_eq!(read.needed, [b"liba.so.1".to_vec(), b"libc.so.6".to_vec()]);
        assert_eq!(read.dirs, [b"$ORIGIN/../lib".to_vec(), b"/opt/lib".to_vec()]);
        assert_eq!(read.loader.unwrap(), loader.as_bytes());
    }

    #[test]
    fn the_program_of_this_test_is_read_with_its_versions() {
        let mut this = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let read = Elf::read(&mut this).unwrap();
        assert!(read.needed.iter().any(|name| name.starts_with(b"libc.so")), "{read:?}");
        assert!(read.loader.is_some());
        assert!(read.wants.iter().any(|(_, version)| version.starts_with(b"GLIBC_")), "{read:?}");
    }

    #[test]
    fn a_file_that_is_cut_or_bent_is_read_without_harm() {
        let whole = elf(62, &["liba.so.1"], "$ORIGIN", Some("/lib/ld.so"));
        for end in 0..whole.len() {
            Elf::read(&mut Cursor::new(&whole[..end]));
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bent = whole.clone();
                bent[at] = value;
                Elf::read(&mut Cursor::new(bent));
            }
        }
        let mut this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        this.truncate(1 << 20);
        for at in 0..64 * 16 {
            let kept = std::mem::replace(&mut this[at], 0xff);
            Elf::read(&mut Cursor::new(&this));
            this[at] = kept;
        }
    }
}
