//! Would the kernel start a program? Its place, its machine, its loader and its first line are
//! read (execve(2)); it is not run.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::python;
use crate::doctor::context::Context;
use crate::resource::file;
use crate::{env, variables};

/// Where distributions keep git's own programs, which git itself puts first in PATH.
const GIT_CORE: &[&str] = &["/usr/lib/git-core", "/usr/libexec/git-core"];
/// How much of a file shows how it is started.
const START: u64 = 4096;
/// The kernel reads no more of a first line (linux/binfmts.h, BINPRM_BUF_SIZE).
const FIRST_LINE: usize = 256;
/// An interpreter may be a script itself: the kernel follows no more of them (exec.c).
const DEPTH: usize = 5;
/// The programs of other machines that are started where one of these is registered
/// (binfmt_misc).
const EMULATORS: &[&str] = &["qemu", "rosetta", "FEX", "box64"];
/// ELF's numbers of the machines whose programs this kernel starts (elf(5)); none: not known.
const MACHINES: &[u16] = if cfg!(target_arch = "x86_64") {
    &[62, 3]
} else if cfg!(target_arch = "aarch64") {
    &[183, 40]
} else {
    &[]
};
/// The program header that names the loader (elf(5)).
const PT_INTERP: usize = 3;
/// They accept options that are separated by blanks as several arguments only.
const SHELLS: &[&str] = &["sh", "ash", "bash", "dash"];

/// Why the kernel does not start a program, or its interpreter ends at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFault {
    /// Windows line ends: the kernel looks for `sh\r`.
    Crlf,
    /// The interpreter, or what `env` would start.
    Interpreter(String),
    /// The kernel passes the rest of the first line as one argument.
    Arguments(String),
    /// It is compiled for another machine.
    Machine,
    /// The loader that it names: that of another C library.
    Loader(String),
}

/// Finds programs as git does in the clone at `top`.
#[derive(Clone, Copy)]
pub struct Programs<'c> {
    pub context: &'c Context<'c>,
    pub top: &'c Path,
}

impl Programs<'_> {
    /// A path of the configuration or of a command, which git resolves from the top of the work
    /// tree.
    pub fn path(&self, path: &str) -> PathBuf {
        if path.starts_with('~') {
            return env::expand(path.as_ref(), &self.context.home.path);
        }
        self.top.join(path)
    }

    /// Whether there is a file of this path. What a project has is not known in a new clone.
    pub fn exists(&self, path: &str) -> bool {
        self.is_of_project(path) || self.path(path).exists()
    }

    fn is_of_project(&self, path: &str) -> bool {
        self.context.is_new_clone && !path.starts_with(['~', '/'])
    }

    /// Whether it is found, by its path, from the top of the work tree or on PATH, and would start.
    pub fn start(&self, program: &str) -> bool {
        program.contains('/') && self.is_of_project(program)
            || self.find(program).is_some_and(|path| self.fault(&path).is_none())
    }

    /// Whether it is found so at all.
    pub fn is_there(&self, program: &str) -> bool {
        self.find(program).is_some()
    }

    /// Why the file would not start.
    pub fn fault(&self, path: &Path) -> Option<StartFault> {
        self.fault_within(path, DEPTH)
    }

    /// Whether a Python has a module, where that is known.
    pub fn has_module(&self, python: &str, module: &str) -> Option<bool> {
        let (python, context) = (self.find(python)?, self.context);
        python::has_module(&python, module, self.top, context.env, &context.home.path)
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        if program.contains('/') {
            return Some(self.path(program)).filter(|path| can_run(path));
        }
        let core = GIT_CORE.iter().map(|folder| Path::new(folder).join(program));
        on_path(self.context, program).or_else(|| core.into_iter().find(|path| can_run(path)))
    }

    fn fault_within(&self, path: &Path, depth: usize) -> Option<StartFault> {
        // one that this user cannot read may start
        let start = file::head(path, START).ok()?;
        // git has sh read a script whose interpreter is of another machine: that of a shell works
        let starts = |program: &str| {
            let is_shell = SHELLS.iter().any(|shell| program.ends_with(&format!("/{shell}")));
            depth > 0
                && self.find(program).is_some_and(|path| {
                    match self.fault_within(&path, depth - 1) {
                        Some(StartFault::Machine) => is_shell,
                        fault => fault.is_none(),
                    }
                })
        };
        match judge(&start, &starts, &|path| path.exists())? {
            StartFault::Machine if has_emulator() => None,
            fault => Some(fault),
        }
    }
}

/// The program on the PATH of the caller, less the entries that mean the current folder.
fn on_path(context: &Context, program: &str) -> Option<PathBuf> {
    let path = context.env.raw(variables::PATH).unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(program)).find(|path| can_run(path))
}

pub fn is_on_path(context: &Context, program: &str) -> bool {
    on_path(context, program).is_some()
}

pub fn can_run(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

fn has_emulator() -> bool {
    let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten();
    let mut names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
    names.any(|name| {
        name.to_str().is_some_and(|name| EMULATORS.iter().any(|known| name.starts_with(known)))
    })
}

/// From the first bytes of a file. `starts`: whether a program would start. Pure.
fn judge(
    start: &[u8],
    starts: &dyn Fn(&str) -> bool,
    exists: &dyn Fn(&Path) -> bool,
) -> Option<StartFault> {
    match start {
        [0x7f, b'E', b'L', b'F', ..] => of_elf(start, exists),
        // macOS: mach-o/loader.h, mach-o/fat.h
        [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
            Some(StartFault::Machine)
        }
        [b'#', b'!', ..] => of_first_line(start, starts),
        // git starts anything else by sh
        _ => None,
    }
}

/// Pure.
fn of_first_line(start: &[u8], starts: &dyn Fn(&str) -> bool) -> Option<StartFault> {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.get(..FIRST_LINE).unwrap_or(line));
    if line.ends_with('\r') {
        return Some(StartFault::Crlf);
    }
    let line = line.trim_start_matches("#!").trim();
    if line.is_empty() {
        // git starts it by sh
        return None;
    }
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim();
    // the kernel does not search PATH
    let path =
        if interpreter.contains('/') { interpreter.to_owned() } else { format!("./{interpreter}") };
    if !starts(&path) {
        return Some(StartFault::Interpreter(interpreter.to_owned()));
    }
    let name = interpreter.rsplit('/').next().unwrap_or_default();
    let arguments = || StartFault::Arguments(argument.to_owned());
    if SHELLS.contains(&name) {
        let is_several = argument.starts_with('-') && argument.contains([' ', '\t']);
        return is_several.then(arguments);
    }
    if name != "env" {
        return None;
    }
    if has_blank_option(argument) {
        return Some(arguments());
    }
    match started_by_env(argument) {
        Some(program) if program.contains([' ', '\t']) => Some(arguments()),
        Some(program) if !starts(program) => Some(StartFault::Interpreter(program.to_owned())),
        _ => None,
    }
}

/// env(1) takes a blank after its options for another one, which does not exist. Pure.
fn has_blank_option(argument: &str) -> bool {
    let options = argument.strip_prefix('-').and_then(|rest| rest.split_once([' ', '\t']));
    options.is_some_and(|(options, _)| options.bytes().all(|it| b"i0v".contains(&it)))
}

/// What env(1) would start, which gets the rest of the first line as one argument and divides it
/// with `-S` alone. `None`: nothing, or an option decides that is not known here. Pure.
fn started_by_env(argument: &str) -> Option<&str> {
    let split = ["-S", "-vS", "--split-string"].iter().find_map(|it| argument.strip_prefix(it));
    let Some(split) = split else {
        // it prints the environment, and ends without an error
        let is_assignment = argument.split([' ', '\t']).next().is_some_and(|it| it.contains('='));
        return (!is_assignment && !argument.is_empty() && !argument.starts_with('-'))
            .then_some(argument);
    };
    let mut words = split.trim_start_matches('=').split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "-u" | "--unset" | "-C" | "--chdir" => drop(words.next()),
            "-i" | "-" | "-v" | "--ignore-environment" => {}
            word if word.contains('=') => {}
            word if word.starts_with('-') => return None,
            word => return Some(word),
        }
    }
    None
}

/// Pure.
fn of_elf(start: &[u8], exists: &dyn Fn(&Path) -> bool) -> Option<StartFault> {
    let is_64 = start.get(4) == Some(&2);
    // 1: the least significant byte is first, as on all machines that are known here
    if MACHINES.is_empty() {
        return None;
    }
    if start.len() < if is_64 { 64 } else { 52 } {
        // it is cut
        return Some(StartFault::Machine);
    }
    if start.get(5) != Some(&1)
        || !number(start, 18, 2)
            .is_some_and(|it| MACHINES.iter().any(|known| *known as usize == it))
    {
        return Some(StartFault::Machine);
    }
    // elf(5): Elf64_Ehdr, Elf32_Ehdr, and their program headers
    let (table, size, count) = if is_64 {
        (number(start, 32, 8)?, number(start, 54, 2)?, number(start, 56, 2)?)
    } else {
        (number(start, 28, 4)?, number(start, 42, 2)?, number(start, 44, 2)?)
    };
    let headers = (0..count).filter_map(|nth| table.checked_add(size.checked_mul(nth)?));
    let of_loader = headers.into_iter().find(|at| number(start, *at, 4) == Some(PT_INTERP))?;
    let (offset, length) = if is_64 {
        (number(start, of_loader + 8, 8)?, number(start, of_loader + 32, 8)?)
    } else {
        (number(start, of_loader + 4, 4)?, number(start, of_loader + 16, 4)?)
    };
    let loader = start.get(offset..offset.checked_add(length)?)?;
    let loader = std::str::from_utf8(loader).ok()?.trim_end_matches('\0');
    (!exists(Path::new(loader))).then(|| StartFault::Loader(loader.to_owned()))
}

/// The number of `size` bytes at an offset. Pure.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    bytes
        .iter()
        .rev()
        .try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(start: &[u8]) -> Option<StartFault> {
        let starts = |name: &str| {
            matches!(name, "/bin/sh" | "/bin/bash" | "/usr/bin/env" | "/usr/bin/perl" | "sh")
        };
        judge(start, &starts, &|path| path == Path::new("/lib/ld.so"))
    }

    #[test]
    fn a_first_line_is_read_as_the_kernel_and_env_read_it() {
        let interpreter = |name: &str| Some(StartFault::Interpreter(name.to_owned()));
        let arguments = |text: &str| Some(StartFault::Arguments(text.to_owned()));
        let long = format!("/{}/sh", "x".repeat(300));
        for (text, expected) in [
            ("#!/bin/sh\nexit 1\n", None),
            ("echo no first line\n", None),
            ("\u{feff}#!/gone\n", None),
            ("#!\nexit 0\n", None),
            ("#!/bin/sh\r\n", Some(StartFault::Crlf)),
            ("#!/bin/sh -e\r\n", Some(StartFault::Crlf)),
            ("#!/opt/homebrew/bin/bash\n", interpreter("/opt/homebrew/bin/bash")),
            ("#!sh\n", interpreter("sh")),
            ("#! /bin/sh\n", None),
            ("#!/bin/sh -eu\n", None),
            ("#!/bin/bash -eu -o pipefail\n", arguments("-eu -o pipefail")),
            ("#!/usr/bin/perl -w -T\n", None),
            ("#!/usr/bin/env node\n", interpreter("node")),
            ("#!/usr/bin/env -S node --x\n", interpreter("node")),
            ("#!/usr/bin/env sh\n", None),
            ("#!/usr/bin/env sh -e\n", arguments("sh -e")),
            ("#!/usr/bin/env A=1 sh\n", None),
            ("#!/usr/bin/env -S -u FOO sh\n", None),
            ("#!/usr/bin/env -S -u FOO node\n", interpreter("node")),
            ("#!/usr/bin/env -S A=1 sh -e\n", None),
            ("#!/usr/bin/env -i\n", None),
            ("#!/usr/bin/env -i sh\n", arguments("-i sh")),
            ("#!/usr/bin/env -iv sh -e\n", arguments("-iv sh -e")),
            ("#!/usr/bin/env -iS sh\n", None),
            ("#!/usr/bin/env -u sh\n", None),
            (&format!("#!{long}\n"), interpreter(&long[..FIRST_LINE - 2])),
        ] {
            assert_eq!(judged(text.as_bytes()), expected, "{text}");
        }
    }

    /// A program of this machine that names a loader.
    fn elf(machine: u16, loader: &str) -> Vec<u8> {
        let mut bytes = vec![0; 120];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32] = 64; // the table of headers begins there
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = 3;
        bytes[72] = 120;
        bytes[96] = u8::try_from(loader.len() + 1).unwrap();
        bytes.extend(loader.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_compiled_program_needs_its_machine_and_its_loader() {
        let own = MACHINES[0];
        let gone = Some(StartFault::Loader("/lib/ld-musl.so".to_owned()));
        assert_eq!(judged(&elf(own, "/lib/ld.so")), None);
        assert_eq!(judged(&elf(own, "/lib/ld-musl.so")), gone);
        assert_eq!(judged(&elf(243, "/lib/ld.so")), Some(StartFault::Machine));
        for other in [&b"\xcf\xfa\xed\xfe\x07"[..], b"\xca\xfe\xba\xbe", &elf(own, "/x")[..40]] {
            assert_eq!(judged(other), Some(StartFault::Machine));
        }
        for length in 0..elf(own, "/lib/ld.so").len() {
            judged(&elf(own, "/lib/ld-musl.so")[..length]);
        }
    }
}
