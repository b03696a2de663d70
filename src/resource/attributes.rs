//! Extended attributes of files, POSIX access control lists among them (acl(5)).

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{
    Gid, Uid, XattrFlags, fchown, fgetxattr, flistxattr, fremovexattr, fsetxattr, getxattr,
};
use rustix::io::Errno;

const ACCESS_ACL: &str = "system.posix_acl_access";
/// The kernel's limits for a list of names and for a value (limits.h: XATTR_LIST_MAX,
/// XATTR_SIZE_MAX).
const LARGEST: usize = 64 << 10;
/// A list of 30 entries.
const USUAL: usize = 256;

/// Gives `new` the attributes of the file that it replaces: its access control list, the
/// attributes of users, and where it is permitted its owner, its group and the SELinux label. All
/// others are about the content (`security.capability`, `security.ima`), or belong to the
/// filesystem.
pub fn copy(old: &File, new: &File) -> io::Result<()> {
    copy_owner(old, new)?;
    let mut has_acl = false;
    for name in names(old)? {
        let is_acl = name == ACCESS_ACL.as_bytes();
        has_acl |= is_acl;
        if is_acl || name.starts_with(b"user.") || name == b"security.selinux" {
            let Some(value) = value(old, &name)? else { continue };
            match fsetxattr(new, &name, &value, XattrFlags::empty()) {
                Err(Errno::PERM | Errno::ACCESS) if name.starts_with(b"security.") => {}
                Err(Errno::NOTSUP) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if !has_acl {
        // it may have inherited one from the default list of its folder
        match fremovexattr(new, ACCESS_ACL) {
            Err(Errno::NODATA | Errno::NOTSUP) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Root may give a file to anybody, a user to a group of theirs (chown(2)).
fn copy_owner(old: &File, new: &File) -> io::Result<()> {
    let (old, own) = (old.metadata()?, new.metadata()?);
    let owner = (old.uid() != own.uid()).then(|| Uid::from_raw(old.uid()));
    let group = (old.gid() != own.gid()).then(|| Gid::from_raw(old.gid()));
    match fchown(new, owner, group) {
        Err(Errno::PERM) if owner.is_some() => fchown(new, None, group),
        other => other,
    }
    .or_else(|error| if error == Errno::PERM { Ok(()) } else { Err(error) })?;
    Ok(())
}

fn names(file: &File) -> io::Result<Vec<Vec<u8>>> {
    let mut buffer = vec![0; LARGEST];
    let length = match flistxattr(file, &mut buffer) {
        Err(Errno::NOTSUP) => 0,
        result => result?,
    };
    let names = buffer.get(..length).unwrap_or_default().split(|&byte| byte == 0);
    Ok(names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

/// `None`: it was removed since it was listed.
fn value(file: &File, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; LARGEST];
    match fgetxattr(file, name, &mut value) {
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
    }
}

/// Whom an entry of an access control list is for, apart from the owner, the file's group and all
/// others, whom the mode names too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclSubject {
    User(u32),
    Group(u32),
}

/// What an access control list permits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// Whether the file's own group may write. The group bits of the mode are the list's mask, not
    /// the permissions of the group.
    pub group_writes: bool,
    /// The named users and groups that may write.
    pub writers: Vec<AclSubject>,
}

impl Acl {
    /// The list of the folder at `path`; `None` where it has none.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut usual = [0; USUAL];
        match Self::read(path, &mut usual) {
            Err(Errno::RANGE) => Ok(Self::read(path, &mut vec![0; LARGEST])?),
            result => Ok(result?),
        }
    }

    fn read(path: &Path, buffer: &mut [u8]) -> Result<Option<Self>, Errno> {
        match getxattr(path, ACCESS_ACL, &mut *buffer) {
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
            Err(error) => Err(error),
            Ok(length) => {
                let list = Self::parse(buffer.get(..length).unwrap_or_default());
                list.map(Some).ok_or(Errno::BADMSG)
            }
        }
    }

    /// Version 2 of the kernel's form (linux/posix_acl_xattr.h): a header of 4 bytes, then entries
    /// of tag, permissions and id, little-endian.
    fn parse(bytes: &[u8]) -> Option<Self> {
        const USER: u16 = 0x02;
        const GROUP_OBJ: u16 = 0x04;
        const GROUP: u16 = 0x08;
        const MASK: u16 = 0x10;
        const WRITE: u16 = 0x2;
        let entries = bytes.strip_prefix(&2_u32.to_le_bytes())?;
        let (entries, rest) = entries.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        let entries: Vec<_> = entries
            .iter()
            .map(|&[t0, t1, p0, p1, i0, i1, i2, i3]| {
                let writes = u16::from_le_bytes([p0, p1]) & WRITE != 0;
                (u16::from_le_bytes([t0, t1]), writes, u32::from_le_bytes([i0, i1, i2, i3]))
            })
            .collect();
        // without a mask there is no named entry, and nothing to limit
        let permitted = entries.iter().all(|&(tag, writes, _)| tag != MASK || writes);
        let writing = || entries.iter().filter(|(_, writes, _)| permitted && *writes);
        Some(Self {
            group_writes: writing().any(|(tag, ..)| *tag == GROUP_OBJ),
            writers: writing()
                .filter_map(|&(tag, _, id)| match tag {
                    USER => Some(AclSubject::User(id)),
                    GROUP => Some(AclSubject::Group(id)),
                    _ => None,
                })
                .collect(),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::fs::setxattr;
    use rustix::process::getgroups;

    use super::*;

    /// An access control list as the kernel takes it.
    pub fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    pub fn set_acl(path: &Path, entries: &[(u16, u16, u32)]) {
        setxattr(path, ACCESS_ACL, &acl(entries), XattrFlags::empty()).unwrap();
    }

    const NONE: u32 = u32::MAX;

    #[test]
    fn the_mask_limits_named_entries_and_the_group() {
        let parse = |user, group, named_group, mask| {
            Acl::parse(&acl(&[
                (0x01, 7, NONE),
                (0x02, user, 1234),
                (0x04, group, NONE),
                (0x08, named_group, 99),
                (0x10, mask, NONE),
                (0x20, 5, NONE),
            ]))
            .unwrap()
        };
        let writers =
            |group_writes, writers: &[AclSubject]| Acl { group_writes, writers: writers.to_vec() };
        assert_eq!(parse(5, 5, 5, 7), writers(false, &[]));
        assert_eq!(parse(7, 5, 5, 7), writers(false, &[AclSubject::User(1234)]));
        assert_eq!(parse(5, 7, 7, 7), writers(true, &[AclSubject::Group(99)]));
        assert_eq!(parse(7, 7, 7, 5), writers(false, &[]));
        let without_mask = acl(&[(0x01, 7, NONE), (0x04, 7, NONE), (0x20, 5, NONE)]);
        assert_eq!(Acl::parse(&without_mask), Some(writers(true, &[])));
        for malformed in [&b""[..], b"\x03\0\0\0", b"\x02\0\0\0x"] {
            assert_eq!(Acl::parse(malformed), None);
        }
    }

    #[test]
    fn the_owner_and_the_group_are_kept_where_this_user_may_give_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create_new(folder.path().join(name)).unwrap();
        let (old, new) = (file("old"), file("new"));
        let own = new.metadata().unwrap().gid();
        let mine = getgroups().unwrap().into_iter().find(|group| group.as_raw() != own);
        // root of a user namespace may not give a file to whom it does not map
        let (owner, group) = [(Some(4321), Some(1234)), (None, mine.map(Gid::as_raw))]
            .into_iter()
            .find(|(owner, group)| {
                fchown(&old, owner.map(Uid::from_raw), group.map(Gid::from_raw)).is_ok()
            })
            .unwrap();
        copy(&old, &new).unwrap();
        let (old, new) = (old.metadata().unwrap(), new.metadata().unwrap());
        assert_eq!((new.uid(), new.gid()), (old.uid(), old.gid()), "{owner:?} {group:?}");
    }

    #[test]
    fn attributes_are_copied_and_an_inherited_list_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, name).unwrap();
            path
        };
        let (old, new, plain) = (file("old"), file("new"), file("plain"));
        let list = acl(&[
            (0x01, 6, NONE),
            (0x02, 4, 1234),
            (0x04, 4, NONE),
            (0x10, 4, NONE),
            (0x20, 0, NONE),
        ]);
        setxattr(&old, "user.note", b"kept", XattrFlags::empty()).unwrap();
        setxattr(&old, ACCESS_ACL, &list, XattrFlags::empty()).unwrap();
        let open = |path: &Path| std::fs::OpenOptions::new().read(true).write(true).open(path);
        let (old, new) = (open(&old).unwrap(), open(&new).unwrap());
        copy(&old, &new).unwrap();
        let of = |file: &File, name: &str| value(file, name.as_bytes()).unwrap();
        assert_eq!(of(&new, "user.note").as_deref(), Some(&b"kept"[..]));
        assert_eq!(of(&new, ACCESS_ACL), Some(list));
        assert_eq!(new.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        copy(&open(&plain).unwrap(), &new).unwrap();
        assert_eq!(of(&new, ACCESS_ACL), None);
    }
}
