//! The mount that begins at a file itself.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::file;

/// The mount that begins at the file itself: `docker -v FILE:FILE`, a subPath of Kubernetes. Links
/// are followed.
pub fn mount(path: &Path) -> Option<Mount> {
    let real = fs::canonicalize(path).ok()?;
    let mounts = file::text(Path::new("/proc/self/mountinfo"));
    mount_at(real.as_os_str().as_bytes(), mounts.as_bytes())
}

/// What can be done with the file at a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount {
    pub read_only: bool,
}

/// Reads /proc/self/mountinfo (proc(5)); of several mounts at one place the last counts. Pure.
fn mount_at(path: &[u8], mounts: &[u8]) -> Option<Mount> {
    let is_read_only = |options: &[u8]| options.split(|byte| *byte == b',').any(|it| it == b"ro");
    let lines = mounts.split(|byte| *byte == b'\n').rev();
    lines.map(|line| line.split(|byte| *byte == b' ')).find_map(|mut fields| {
        let place = fields.nth(4)?;
        let options = fields.next()?;
        let of_filesystem = fields.next_back()?;
        (unescaped(place) == path)
            .then(|| Mount { read_only: is_read_only(options) || is_read_only(of_filesystem) })
    })
}

/// Without the escapes of blanks, line ends and backslashes: three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        text.push(octal.unwrap_or(first));
        rest = octal.and_then(|_| after.get(3..)).unwrap_or(after);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_a_file_is_found_among_all_mounts() {
        let mounts = b"21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
            22 21 8:1 /srv/a /home/u/.codex/auth.json rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            23 21 8:1 /srv/b /home/u/a\\040b\\134 ro,relatime - ext4 /dev/sda1 rw\n\
            24 21 0:4 /c /home/u/c rw - tmpfs tmpfs ro,size=1k\n\
            25 21 0:4 /d /home/u/.codex/auth.json ro - tmpfs tmpfs rw\n\
            nonsense\n";
        for (path, read_only) in [
            ("/home/u/.codex/auth.json", Some(true)),
            ("/home/u/a b\\", Some(true)),
            ("/home/u/c", Some(true)),
            ("/", Some(false)),
            ("/home/u/.codex", None),
            ("/home/u/.codex/auth.json.lock", None),
        ] {
            let found = mount_at(path.as_bytes(), mounts);
            assert_eq!(found.map(|mount| mount.read_only), read_only, "{path}");
        }
    }
}
