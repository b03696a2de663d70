//! What a script of sh or bash certainly does: does a program that is not installed make it fail? The
//! script is read as the shell reads it, and never run. Where it may end in another way, or does
//! what is not known here, nothing is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::shell::{Redirect, ShellNode, Simple, Word, matches_empty, parse};

/// Why a command fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandFault {
    /// Its program is not installed.
    Command(String),
    /// The script that an interpreter is given does not exist.
    Script(String),
    /// The module that Python is given is not installed.
    Module(String),
    /// It reads from a terminal.
    Terminal,
}

/// What the script finds.
pub struct ScriptSurroundings<'a> {
    /// Why a command fails, by its words; `None` for a word that is expanded.
    pub fault: &'a dyn Fn(&[Option<&str>]) -> Option<CommandFault>,
    /// Whether a program would start.
    pub starts: &'a dyn Fn(&str) -> bool,
    /// Whether the file that a line reads changes nothing but that the shell ends at an error.
    pub is_harmless_file: &'a dyn Fn(&Word) -> bool,
    /// The file that a line reads, where that does not exist.
    pub missing_file: &'a dyn Fn(&Word) -> Option<String>,
    /// Whether the script gets this variable.
    pub is_set: &'a dyn Fn(&str) -> bool,
    pub has_terminal: bool,
}

/// How the shell of a script starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellMode {
    /// bash goes on where `exec` cannot open a file.
    pub is_bash: bool,
    /// It ends at an error.
    pub exits: bool,
}

/// Why the script certainly fails. Pure.
pub fn failure(
    script: &str,
    shell: ShellMode,
    surroundings: &ScriptSurroundings,
) -> Option<CommandFault> {
    if script.len() > LONGEST {
        return None;
    }
    let nodes = parse(script)?;
    let state = ShellState {
        is_at_top: true,
        exits: shell.exits,
        fails_with_pipes: false,
        last: CommandStatus::Unknown,
        earlier: EarlierPrograms::default(),
        variables: BTreeMap::new(),
        unread: BTreeSet::new(),
        no_terminal: None,
        functions: BTreeMap::new(),
    };
    let mut reader = ScriptReader { script, shell, surroundings, state, steps: 0, calls: 0 };
    match reader.list(&nodes, &CommandPlace::default()) {
        End::Goes(CommandStatus::Fails(cause)) | End::Fails(cause) => cause,
        _ => None,
    }
}

/// How a command ends, and what that depends on where it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CommandStatus {
    Succeeds(Option<CommandFault>),
    Fails(Option<CommandFault>),
    Unknown,
}

/// What comes after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Goes(CommandStatus),
    /// The script ends there and fails.
    Fails(Option<CommandFault>),
    /// It may end there without an error, or does what is not known here.
    Unsure,
}

/// Where a command is.
#[derive(Clone, Debug, Default)]
struct CommandPlace {
    /// Its failure is handled: it is a condition.
    is_condition: bool,
    /// Why it is reached.
    because: Option<CommandFault>,
}

/// What programs that ran before may have done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct EarlierPrograms {
    make_files: bool,
    /// What is missing.
    install: bool,
}

/// What commands change for those that follow.
#[derive(Clone, Debug, PartialEq)]
struct ShellState {
    /// The current folder is the top of the work tree.
    is_at_top: bool,
    exits: bool,
    fails_with_pipes: bool,
    last: CommandStatus,
    earlier: EarlierPrograms,
    /// Those that keep how a command ended.
    variables: BTreeMap<String, CommandStatus>,
    /// Those that are empty, since they are read from the terminal alone, and there is none.
    unread: BTreeSet<String>,
    /// Something was to be read from the terminal, and there is none.
    no_terminal: Option<CommandFault>,
    functions: BTreeMap<String, Rc<Vec<ShellNode>>>,
}

struct ScriptReader<'a> {
    script: &'a str,
    shell: ShellMode,
    surroundings: &'a ScriptSurroundings<'a>,
    state: ShellState,
    steps: usize,
    calls: usize,
}

/// A script that takes more is not followed.
const MOST_STEPS: usize = 5_000;
const MOST_CALLS: usize = 8;
/// Nor a longer one.
const LONGEST: usize = 256 << 10;

impl ScriptReader<'_> {
    fn list(&mut self, nodes: &[ShellNode], at: &CommandPlace) -> End {
        let mut status = CommandStatus::Succeeds(None);
        for node in nodes {
            match self.node(node, at) {
                End::Goes(of_node) => status = of_node,
                end => return end,
            }
            self.state.last = status.clone();
        }
        End::Goes(status)
    }

    fn node(&mut self, node: &ShellNode, at: &CommandPlace) -> End {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return End::Unsure;
        }
        match node {
            ShellNode::Simple(simple) => {
                let end = self.simple(simple, at);
                self.ending(end, at)
            }
            ShellNode::Test(words) => End::Goes(self.test(words, true)),
            ShellNode::Pipe { parts, is_negated } => self.pipe(parts, *is_negated, at),
            ShellNode::Chain { first, rest } => self.chain(first, rest, at),
            ShellNode::If { branches, otherwise } => self.branches(branches, otherwise, at),
            ShellNode::Maybe(list) => self.one_or_none([&**list], at),
            ShellNode::Case { subject, arms } => self.case(subject, arms, at),
            ShellNode::Group(list) => self.list(list, at),
            ShellNode::Subshell(list) => {
                let end = self.apart(|reader| reader.list(list, at));
                self.ending(end, at)
            }
            ShellNode::Background => End::Goes(CommandStatus::Succeeds(None)),
            ShellNode::Function(name, body) => {
                self.state.functions.insert(name.clone(), Rc::clone(body));
                End::Goes(CommandStatus::Succeeds(None))
            }
        }
    }

    /// One of the lists may run, or none.
    fn one_or_none<'n>(
        &mut self,
        lists: impl IntoIterator<Item = &'n [ShellNode]>,
        at: &CommandPlace,
    ) -> End {
        lists.into_iter().fold(End::Goes(CommandStatus::Unknown), |end, list| {
            let before = self.state.clone();
            let of_list = self.list(list, at);
            self.merge(before, end, of_list)
        })
    }

    fn case(
        &mut self,
        subject: &Word,
        arms: &[(Vec<Word>, Vec<ShellNode>)],
        at: &CommandPlace,
    ) -> End {
        let matches = |patterns: &[Word]| {
            let of_each: Option<Vec<_>> = patterns.iter().map(matches_empty).collect();
            of_each.map(|of_each| of_each.contains(&true))
        };
        if self.is_unread(&subject.raw) {
            // one that is not known may match, too
            let mut arms = arms.iter().map(|(patterns, list)| (matches(patterns), list));
            match arms.find(|(matches, _)| *matches != Some(false)) {
                Some((Some(_), list)) => {
                    let because = Some(CommandFault::Terminal);
                    return self.list(list, &CommandPlace { because, ..at.clone() });
                }
                Some((None, _)) => {}
                None => return End::Goes(CommandStatus::Succeeds(None)),
            }
        }
        self.one_or_none(arms.iter().map(|(_, list)| &**list), at)
    }

    /// The shell may end at an error.
    fn ending(&self, end: End, at: &CommandPlace) -> End {
        match end {
            End::Goes(CommandStatus::Fails(cause)) if self.state.exits && !at.is_condition => {
                End::Fails(cause)
            }
            end => end,
        }
    }

    /// In a shell of its own, whose end is that of a command.
    fn apart(&mut self, run: impl FnOnce(&mut Self) -> End) -> End {
        let before = self.state.clone();
        let end = run(self);
        let earlier = self.state.earlier;
        self.state = ShellState { earlier, ..before };
        End::Goes(match end {
            End::Goes(status) => status,
            End::Fails(cause) => CommandStatus::Fails(cause),
            End::Unsure => CommandStatus::Unknown,
        })
    }

    fn pipe(&mut self, parts: &[ShellNode], is_negated: bool, at: &CommandPlace) -> End {
        if let [part] = parts {
            let within = CommandPlace { is_condition: at.is_condition || is_negated, ..at.clone() };
            return match self.node(part, &within) {
                End::Goes(status) if is_negated => End::Goes(negated(status)),
                end => end,
            };
        }
        let within = CommandPlace { is_condition: true, ..at.clone() };
        let mut of_parts = Vec::new();
        for part in parts {
            match self.apart(|reader| reader.node(part, &within)) {
                End::Goes(status) => of_parts.push(status),
                end => return end,
            }
        }
        let last = of_parts.last().cloned().unwrap_or(CommandStatus::Unknown);
        let failing = of_parts.into_iter().find(|it| matches!(it, CommandStatus::Fails(Some(_))));
        let status = match failing {
            Some(failing) if self.state.fails_with_pipes => failing,
            _ => last,
        };
        if is_negated {
            return End::Goes(negated(status));
        }
        self.ending(End::Goes(status), at)
    }

    /// `a && b || c`. A failure counts for `set -e` where the last command fails alone.
    fn chain(&mut self, first: &ShellNode, rest: &[(bool, ShellNode)], at: &CommandPlace) -> End {
        let within = CommandPlace { is_condition: true, ..at.clone() };
        let mut end = self.node(first, &within);
        for (nth, (is_and, node)) in rest.iter().enumerate() {
            let End::Goes(status) = &end else { return end };
            let (runs, cause) = match status {
                CommandStatus::Succeeds(cause) => (Some(*is_and), cause.clone()),
                CommandStatus::Fails(cause) => (Some(!is_and), cause.clone()),
                CommandStatus::Unknown => (None, None),
            };
            let is_last = nth + 1 == rest.len();
            self.state.last = status.clone();
            let there = CommandPlace {
                is_condition: at.is_condition || !is_last,
                because: cause.or_else(|| at.because.clone()),
            };
            end = match runs {
                Some(false) => end,
                Some(true) => self.node(node, &there),
                None => {
                    let before = self.state.clone();
                    let run = self.node(node, &there);
                    self.merge(before, End::Goes(CommandStatus::Unknown), run)
                }
            };
        }
        end
    }

    fn branches(
        &mut self,
        branches: &[(Vec<ShellNode>, Vec<ShellNode>)],
        otherwise: &[ShellNode],
        at: &CommandPlace,
    ) -> End {
        let Some(((condition, body), rest)) = branches.split_first() else {
            return self.list(otherwise, at);
        };
        let within = CommandPlace { is_condition: true, ..at.clone() };
        let status = match self.list(condition, &within) {
            End::Goes(status) => status,
            end => return end,
        };
        let there = |cause: Option<CommandFault>| CommandPlace {
            because: cause.or_else(|| at.because.clone()),
            ..at.clone()
        };
        match status {
            CommandStatus::Succeeds(cause) => self.list(body, &there(cause)),
            CommandStatus::Fails(cause) => self.branches(rest, otherwise, &there(cause)),
            CommandStatus::Unknown => {
                let before = self.state.clone();
                let taken = self.list(body, at);
                let after = std::mem::replace(&mut self.state, before);
                let not_taken = self.branches(rest, otherwise, at);
                self.merge(after, taken, not_taken)
            }
        }
    }

    /// One of two things happened: what was in the state `other`, or what is in the state now.
    fn merge(&mut self, other: ShellState, one: End, two: End) -> End {
        let end = match (one, two) {
            (End::Unsure, _) | (_, End::Unsure) => return End::Unsure,
            (End::Fails(one), End::Fails(two)) => return End::Fails(one.or(two)),
            (End::Goes(status), End::Fails(_)) => {
                self.state = other;
                return End::Goes(status);
            }
            (End::Fails(_), End::Goes(status)) => return End::Goes(status),
            (End::Goes(one), End::Goes(two)) if one == two => one,
            (End::Goes(_), End::Goes(_)) => CommandStatus::Unknown,
        };
        self.state.is_at_top &= other.is_at_top;
        self.state.exits &= other.exits;
        self.state.fails_with_pipes &= other.fails_with_pipes;
        self.state.earlier.make_files |= other.earlier.make_files;
        self.state.earlier.install |= other.earlier.install;
        self.state.variables.retain(|name, status| other.variables.get(name) == Some(status));
        self.state.unread.retain(|name| other.unread.contains(name));
        self.state.no_terminal.take_if(|_| other.no_terminal.is_none());
        if self.state.functions != other.functions {
            return End::Unsure;
        }
        End::Goes(end)
    }

    fn simple(&mut self, simple: &Simple, at: &CommandPlace) -> End {
        const SUCCESS: End = End::Goes(CommandStatus::Succeeds(None));
        const UNKNOWN: End = End::Goes(CommandStatus::Unknown);
        for (name, value) in &simple.assignments {
            if name == "PATH" {
                return End::Unsure;
            }
            let kept = (value == "$?").then(|| self.state.last.clone());
            self.state.variables.insert(name.clone(), kept.unwrap_or(CommandStatus::Unknown));
        }
        let Some(program) = simple.words.first() else {
            let is_plain = |(_, value): &(String, String)| !value.contains(['$', '`']);
            let is_known = simple.redirects.is_empty() && simple.assignments.iter().all(is_plain);
            return if is_known { SUCCESS } else { UNKNOWN };
        };
        let is_quiet = simple.redirects.iter().all(Redirect::opens_nothing);
        self.state.earlier.make_files |= simple.redirects.iter().any(Redirect::may_make_a_file);
        let Some(program) = program.literal.as_deref() else { return UNKNOWN };
        let arguments = simple.words.get(1..).unwrap_or_default();
        let reads_terminal = simple.redirects.iter().any(Redirect::reads_terminal);
        if reads_terminal && !self.surroundings.has_terminal && !is_special(program) {
            // the shell does not run it
            self.state.no_terminal = Some(CommandFault::Terminal);
            self.not_read(program, arguments);
            return End::Goes(CommandStatus::Fails(Some(CommandFault::Terminal)));
        }
        let first = arguments.first();
        if let Some(body) = self.state.functions.get(program).map(Rc::clone) {
            if self.calls >= MOST_CALLS {
                return End::Unsure;
            }
            self.calls += 1;
            let end = self.list(&body, at);
            self.calls -= 1;
            return end;
        }
        match program {
            ":" | "true" | "echo" | "printf" if is_quiet => SUCCESS,
            ":" | "true" | "echo" | "printf" => UNKNOWN,
            "false" => End::Goes(CommandStatus::Fails(None)),
            "exit" => self.exit(first, at),
            "exec" => self.exec(simple, arguments),
            "set" => {
                self.set(arguments);
                SUCCESS
            }
            "cd" => {
                const TOP: &[&str] =
                    &["\"$(git rev-parse --show-toplevel)\"", "$(git rev-parse --show-toplevel)"];
                self.state.is_at_top = first.is_some_and(|word| TOP.contains(&&*word.raw));
                UNKNOWN
            }
            "[" | "test" => End::Goes(self.test(arguments, false)),
            "command" | "type" | "hash" | "which" => self.looked_up(program, arguments),
            "export" | "readonly" | "local" | "declare" | "typeset" | "unset" => {
                let is_path = |word: &Word| word.raw.trim_matches(['"', '\'']).starts_with("PATH");
                let is_path = arguments.iter().any(is_path);
                if is_path { End::Unsure } else { SUCCESS }
            }
            "trap" if first.is_some_and(|word| !word.raw.contains("exit")) => SUCCESS,
            "." | "source" if first.is_some_and(self.surroundings.is_harmless_file) => {
                self.state.exits = true;
                SUCCESS
            }
            "." | "source" if self.shell.is_bash && !self.state.earlier.make_files => {
                match first.and_then(self.surroundings.missing_file) {
                    Some(file) => End::Goes(CommandStatus::Fails(Some(CommandFault::Script(file)))),
                    None => End::Unsure,
                }
            }
            "shopt" | "umask" | "ulimit" | "shift" | "read" | "wait" | "let" | "pwd" | "kill"
            | "getopts" | "break" | "continue" | "times" | "mapfile" | "readarray" | "jobs" => {
                UNKNOWN
            }
            program if is_of_shell(program) => End::Unsure,
            program if program.contains('/') && !self.state.is_at_top => UNKNOWN,
            _ => self.command(&simple.words),
        }
    }

    /// A program that is started.
    fn command(&mut self, words: &[Word]) -> End {
        let words: Vec<_> = words.iter().map(|word| word.literal.as_deref()).collect();
        let fault = (self.surroundings.fault)(&words);
        let is_of_file = match &fault {
            Some(CommandFault::Script(_) | CommandFault::Module(_)) => true,
            Some(CommandFault::Command(program)) => program.contains('/'),
            Some(CommandFault::Terminal) | None => false,
        };
        let is_elsewhere = !self.state.is_at_top || self.state.earlier.make_files;
        End::Goes(match fault {
            Some(_) if self.state.earlier.install || is_of_file && is_elsewhere => {
                CommandStatus::Unknown
            }
            Some(cause) => CommandStatus::Fails(Some(cause)),
            None => {
                let program = words.first().copied().flatten().unwrap_or_default();
                self.state.earlier.make_files |= !only_reads(program);
                self.state.earlier.install |= may_install(&words);
                CommandStatus::Unknown
            }
        })
    }

    fn exit(&self, argument: Option<&Word>, at: &CommandPlace) -> End {
        let Some(word) = argument else { return exit_as(&self.state.last) };
        match word.literal.as_deref() {
            Some("0") => End::Unsure,
            Some(number) if number.parse::<u8>().is_ok() => {
                End::Fails(at.because.clone().or_else(|| self.state.no_terminal.clone()))
            }
            Some(_) => End::Unsure,
            None => self.kept(&word.raw).map_or(End::Unsure, exit_as),
        }
    }

    /// How the command ended whose status the word is: `$?`, or `$code` after `code=$?`.
    fn kept(&self, raw: &str) -> Option<&CommandStatus> {
        let name = raw.trim_matches('"').strip_prefix('$')?;
        if name == "?" {
            return Some(&self.state.last);
        }
        self.state.variables.get(name.trim_start_matches('{').trim_end_matches('}'))
    }

    fn exec(&mut self, simple: &Simple, arguments: &[Word]) -> End {
        let Some(program) = arguments.first() else {
            let reads_terminal = simple.redirects.iter().any(Redirect::reads_terminal);
            return match () {
                () if !reads_terminal => End::Goes(CommandStatus::Unknown),
                () if self.surroundings.has_terminal => End::Goes(CommandStatus::Succeeds(None)),
                // sh ends there, whatever follows
                () if !self.shell.is_bash => End::Fails(Some(CommandFault::Terminal)),
                () => End::Goes(CommandStatus::Fails(Some(CommandFault::Terminal))),
            };
        };
        let is_below = program.literal.as_deref().is_some_and(|it| it.contains('/'));
        if is_below && !self.state.is_at_top {
            return End::Unsure;
        }
        match self.command(arguments) {
            End::Goes(CommandStatus::Fails(cause)) => End::Fails(cause),
            _ => End::Unsure,
        }
    }

    fn set(&mut self, arguments: &[Word]) {
        let mut names = false;
        for word in arguments.iter().map(|word| &*word.raw).take_while(|word| *word != "--") {
            if names {
                names = false;
                match word {
                    "errexit" => self.state.exits = true,
                    "pipefail" => self.state.fails_with_pipes = true,
                    _ => {}
                }
            } else if let Some(options) = word.strip_prefix('-') {
                self.state.exits |= options.contains('e');
                names = options.contains('o');
            } else if let Some(options) = word.strip_prefix('+') {
                self.state.exits &= !options.contains('e') && !options.contains('o');
                self.state.fails_with_pipes &= !options.contains('o');
            }
        }
    }

    /// `command -v NAME` asks whether a program is installed, as `type` and the others do.
    fn looked_up(&mut self, by: &str, arguments: &[Word]) -> End {
        let mut words = arguments.iter().map(|word| word.literal.as_deref());
        let name = match (by, words.next()) {
            ("command", Some(Some("-v" | "-V"))) => words.next().flatten(),
            ("command", _) => return self.command(arguments),
            (_, word) => word.flatten(),
        };
        let Some(name) = name.filter(|name| !name.starts_with('-') && words.next().is_none())
        else {
            return End::Goes(CommandStatus::Unknown);
        };
        let is_known = is_of_shell(name) || self.state.functions.contains_key(name);
        let is_elsewhere = name.contains('/') && !self.state.is_at_top;
        End::Goes(match () {
            () if is_known || is_elsewhere || self.state.earlier.install => CommandStatus::Unknown,
            () if (self.surroundings.starts)(name) => CommandStatus::Unknown,
            () => CommandStatus::Fails(Some(CommandFault::Command(name.to_owned()))),
        })
    }

    /// The variables that `read` would have set are empty, where nothing else sets them.
    fn not_read(&mut self, program: &str, arguments: &[Word]) {
        if program != "read" {
            return;
        }
        let mut names = Vec::new();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.literal.as_deref() {
                Some(option) if option.starts_with('-') => {
                    // these have a value
                    if option.ends_with(['p', 'n', 'N', 't', 'd', 'a', 'u', 'i']) {
                        words.next();
                    }
                }
                Some(name) => names.push(name.to_owned()),
                None => return,
            }
        }
        if names.is_empty() {
            names.push("REPLY".to_owned());
        }
        let is_set = self.surroundings.is_set;
        names.retain(|name| is_read_alone(self.script, name) && !is_set(name));
        self.state.unread.extend(names);
    }

    /// Whether the word is `$NAME` of a variable that is empty.
    fn is_unread(&self, raw: &str) -> bool {
        let raw = raw.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(raw);
        let name = raw
            .strip_prefix('$')
            .map(|name| name.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(name));
        name.is_some_and(|name| self.state.unread.contains(name))
    }

    /// A test of a variable that is empty: `[ "$answer" = y ]`. `is_double`: `[[ … ]]`.
    fn test_of_unread(&self, words: &[Word], is_double: bool) -> CommandStatus {
        if is_double && !self.shell.is_bash {
            return CommandStatus::Unknown;
        }
        let (words, is_negated) = match words {
            [first, rest @ ..] if first.raw == "!" => (rest, true),
            words => (words, false),
        };
        // `[` gets no argument for one that is empty and not quoted
        let is_empty =
            |word: &Word| self.is_unread(&word.raw) && (is_double || word.raw.starts_with('"'));
        let holds = match words {
            [operator, value] if is_empty(value) => match &*operator.raw {
                "-z" => Some(true),
                "-n" => Some(false),
                _ => None,
            },
            [value, operator, other] if is_empty(value) => {
                let matches = if is_double {
                    matches_empty(other)
                } else {
                    other.literal.as_ref().map(String::is_empty)
                };
                match &*operator.raw {
                    "=" | "==" => matches,
                    "!=" => matches.map(|matches| !matches),
                    "=~" if needs_a_letter(&other.raw) => Some(false),
                    _ => None,
                }
            }
            _ => None,
        };
        let cause = Some(CommandFault::Terminal);
        match holds {
            Some(holds) if holds != is_negated => CommandStatus::Succeeds(cause),
            Some(_) => CommandStatus::Fails(cause),
            None => CommandStatus::Unknown,
        }
    }

    /// `[ $? -ne 0 ]`: whether a command failed.
    fn test(&self, words: &[Word], is_double: bool) -> CommandStatus {
        let words = words.strip_suffix(&[Word::closing()]).unwrap_or(words);
        let of_unread = self.test_of_unread(words, is_double);
        if of_unread != CommandStatus::Unknown {
            return of_unread;
        }
        let words: Vec<_> = words.iter().map(|word| &*word.raw).collect();
        let [value, operator, "0"] = &words[..] else { return CommandStatus::Unknown };
        let is_failure = match *operator {
            "-ne" | "!=" | "-gt" => true,
            "-eq" | "=" | "==" => false,
            _ => return CommandStatus::Unknown,
        };
        match self.kept(value) {
            Some(CommandStatus::Fails(cause)) if is_failure => {
                CommandStatus::Succeeds(cause.clone())
            }
            Some(CommandStatus::Fails(cause)) => CommandStatus::Fails(cause.clone()),
            _ => CommandStatus::Unknown,
        }
    }
}

fn exit_as(status: &CommandStatus) -> End {
    match status {
        CommandStatus::Fails(cause) => End::Fails(cause.clone()),
        CommandStatus::Succeeds(_) | CommandStatus::Unknown => End::Unsure,
    }
}

fn negated(status: CommandStatus) -> CommandStatus {
    match status {
        CommandStatus::Succeeds(cause) => CommandStatus::Fails(cause),
        CommandStatus::Fails(cause) => CommandStatus::Succeeds(cause),
        CommandStatus::Unknown => CommandStatus::Unknown,
    }
}

/// Whether a regular expression matches no empty text: one of letters and of sets of letters. Pure.
fn needs_a_letter(pattern: &str) -> bool {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"[]".contains(&byte);
    !pattern.is_empty() && pattern.bytes().all(is_plain)
}

/// Whether the script has the name of a variable only where its value is taken, or where it is read
/// from the terminal. Pure.
fn is_read_alone(script: &str, name: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_read = |line: &str| line.contains("read") && line.contains("/dev/tty");
    script.lines().filter(|line| !is_read(line)).all(|line| {
        let mut places = line.match_indices(name).filter(|(at, _)| {
            let (before, after) = (line.get(..*at), line.get(at + name.len()..));
            !before.unwrap_or_default().ends_with(is_of_name)
                && !after.unwrap_or_default().starts_with(is_of_name)
        });
        places.all(|(at, _)| line.get(..at).is_some_and(|it| it.ends_with(['$', '{'])))
    })
}

/// Programs that hooks often start and that make no file.
fn only_reads(program: &str) -> bool {
    const PROGRAMS: &[&str] = &[
        "awk", "basename", "cat", "cut", "date", "dirname", "egrep", "false", "git", "grep",
        "head", "id", "ls", "sed", "sort", "tail", "tput", "tr", "true", "uname", "wc",
    ];
    PROGRAMS.contains(&program)
}

/// Whether a command may install what is missing. Pure.
fn may_install(words: &[Option<&str>]) -> bool {
    const WORDS: &[&str] =
        &["add", "ci", "curl", "get", "i", "install", "make", "setup", "sync", "tar", "wget"];
    words.iter().flatten().any(|word| WORDS.contains(word))
}

/// What of these sh ends where a redirection fails.
fn is_special(program: &str) -> bool {
    const NAMES: &[&str] = &[
        ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return",
        "set", "shift", "times", "trap", "unset",
    ];
    NAMES.contains(&program)
}

/// What sh or bash does itself, and the words of their grammar.
fn is_of_shell(word: &str) -> bool {
    const WORDS: &[&str] = &[
        ".",
        ":",
        "[",
        "alias",
        "bg",
        "bind",
        "break",
        "builtin",
        "caller",
        "case",
        "cd",
        "command",
        "compgen",
        "complete",
        "compopt",
        "continue",
        "coproc",
        "declare",
        "dirs",
        "disown",
        "do",
        "done",
        "echo",
        "elif",
        "else",
        "enable",
        "esac",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "fc",
        "fg",
        "fi",
        "for",
        "function",
        "getopts",
        "hash",
        "help",
        "history",
        "if",
        "jobs",
        "kill",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readarray",
        "readonly",
        "return",
        "select",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "test",
        "then",
        "time",
        "times",
        "trap",
        "true",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "until",
        "wait",
        "while",
    ];
    WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(script: &str, shell: ShellMode, has_terminal: bool) -> Option<CommandFault> {
        let is_gone = |name: &str| name.starts_with("gone");
        let surroundings = ScriptSurroundings {
            fault: &|words| {
                let program = words.first().copied().flatten()?;
                is_gone(program).then(|| CommandFault::Command(program.to_owned()))
            },
            starts: &|program| !is_gone(program),
            is_harmless_file: &|word| word.raw == "_/husky.sh",
            missing_file: &|word| is_gone(&word.raw).then(|| word.raw.clone()),
            is_set: &|name| name == "SET",
            has_terminal,
        };
        failure(script, shell, &surroundings)
    }

    const SH: ShellMode = ShellMode { is_bash: false, exits: false };
    const BASH: ShellMode = ShellMode { is_bash: true, exits: false };

    /// Each was run by dash and bash, with a program that is not installed instead of `gone`.
    #[test]
    fn a_missing_program_counts_where_the_script_certainly_fails() {
        let gone = Some(CommandFault::Command("gone".to_owned()));
        for (script, fails) in [
            ("set -euo pipefail\ncd \"$(git rev-parse --show-toplevel)\"\ngone fmt", true),
            ("gone || exit 1\necho ok", true),
            ("gone || exit 0\necho ok", false),
            ("gone || exit", true),
            ("gone || { echo no; exit 1; }\necho ok", true),
            ("gone || true", false),
            ("gone && ls", true),
            ("gone && ls\necho ok", false),
            ("set -e\ngone && ls\necho ok", false),
            ("set -e\nls && gone\necho ok", false),
            ("set -e\ntrue && gone\necho ok", true),
            ("if ! gone; then\n  echo bad\n  exit 1\nfi\necho ok", true),
            ("if ! gone; then\n  exit 0\nfi", false),
            ("if gone; then\n  echo ok\nelse\n  exit 2\nfi", true),
            ("if gone; then\n  exit 1\nfi", false),
            ("if ls; then gone; fi", false),
            ("if ls; then gone || exit 1; else gone || exit 1; fi", true),
            ("gone\nif [ $? -ne 0 ]; then\n  exit 1\nfi\nexit 0", true),
            ("gone\nresult=$?\nls\nexit $result", true),
            ("gone\nresult=$?\n[ \"$result\" -eq 0 ] || exit 1", true),
            ("gone\n[ $? = 0 ] && exit 0\nexit 1", false),
            ("gone\nexit $?", true),
            ("gone\nexit 0", false),
            ("gone; ls", false),
            ("gone | ls", false),
            ("ls | gone", true),
            ("set -o pipefail\ngone | ls", true),
            ("! gone", false),
            ("command -v gone || exit 0\ngone", false),
            ("command -v gone >/dev/null 2>&1 || exit 1", true),
            ("if command -v gone; then gone; fi", false),
            ("if ! which gone; then echo no; exit 1; fi", true),
            ("command -v ls || exit 0\ngone", false),
            ("[ -n \"$CI\" ] && exit 0\ngone", false),
            ("[ -n \"$CI\" ] && exit 1\ngone", true),
            ("case x in x) exit 0;; esac\ngone", false),
            ("for f in a b; do echo $f; done\ngone", true),
            ("for f in a b; do gone $f; done", false),
            ("while read x; do exit 0; done\ngone", false),
            ("check() {\n  gone || exit 1\n}\ncheck", true),
            ("check() {\n  return 0\n}\ncheck\ngone", false),
            ("gone() {\n  ls\n}\ngone", false),
            ("f() { f; }\nf\ngone", false),
            ("( gone )", true),
            ("( exit 0 )\ngone", true),
            ("( exit 1 )\nls", false),
            ("export PATH=/opt:$PATH\ngone", false),
            ("PATH=/opt gone", false),
            (". ./env\ngone", false),
            ("eval x\ngone", false),
            ("trap 'rm -f x' EXIT\ngone", true),
            ("trap 'exit 0' EXIT\ngone", false),
            ("alias gone=ls\ngone", false),
            ("cd d\n./gone", false),
            ("npm install\ngone", false),
            ("ls\ngone", true),
            ("command -v gone || npm i gone\ngone", false),
            ("set -- -e\ngone\necho ok", false),
            ("export \"PATH=/opt\"\ngone", false),
            ("A=1 gone >/dev/null 2>&1", true),
            ("gone &", false),
            ("exec gone", true),
            ("exec ls\ngone", false),
            ("cat <<E\ngone\nE", false),
            ("echo \"\ngone\n\"", false),
            ("x=$(gone)\necho ok", false),
            (". _/husky.sh\ngone\necho ok", true),
            ("exit 1", false),
            ("false", false),
            ("set -e\nfalse\ngone", false),
            ("set -e; set +e; gone; echo ok", false),
        ] {
            let expected = gone.clone().filter(|_| fails);
            assert_eq!(judged(script, BASH, true), expected, "{script}");
        }
    }

    #[test]
    fn a_terminal_that_is_not_there_ends_sh_alone() {
        let cause = Some(CommandFault::Terminal);
        for (script, of_sh, of_bash) in [
            ("exec < /dev/tty\nls", true, false),
            ("exec < /dev/tty || true\nls", true, false),
            ("exec < /dev/tty && ls || true", true, false),
            ("exec < /dev/tty", true, true),
            ("set -e\nexec < /dev/tty\nls", true, true),
            ("exec >/dev/null\nls", false, false),
            ("[ -t 1 ] && exec < /dev/tty\nls", false, false),
            ("read x </dev/tty", true, true),
            ("read x </dev/tty\nls", false, false),
            ("set -e\nread x </dev/tty\nls", true, true),
            ("set -e\nread x </dev/tty || true\nls", false, false),
            ("read x </dev/tty\n[ \"$x\" = y ] || exit 1", true, true),
            ("read -r -p 'ok? ' x </dev/tty\n[ \"${x}\" != n ] || exit 1\nls", false, false),
            ("read x </dev/tty\nif [ -z \"$x\" ]; then\n  exit 1\nfi\nls", true, true),
            ("read x </dev/tty\n[ \"$x\" = '' ] || exit 1\nls", false, false),
            ("x=y\nread x </dev/tty\n[ \"$x\" = y ] || exit 1\nls", false, false),
            ("read SET </dev/tty\n[ \"$SET\" = y ] || exit 1\nls", false, false),
            ("[ -t 1 ] && read x </dev/tty\n[ \"$x\" = y ] || exit 1\nls", false, false),
            ("read x </dev/tty\ncase $x in y) exit 0;; *) exit 1;; esac", true, true),
            ("read x </dev/tty\ncase \"$x\" in [nN]*) exit 1;; '') ;; esac\nls", false, false),
            ("read x </dev/tty\ncase $x in \"$y\") exit 1;; *) exit 1;; esac\nls", false, false),
            ("read -n 1 -r </dev/tty\n[[ $REPLY =~ ^[Yy]$ ]] && exit 0\nexit 1", false, true),
            ("read -n1 </dev/tty\nif [[ ! $REPLY =~ ^[Yy]$ ]]; then exit 1; fi\nls", false, true),
            ("ask() {\n  read x </dev/tty\n}\nask\n[ \"$x\" = y ] || exit 1\nls", true, true),
        ] {
            for (shell, fails) in [(SH, of_sh), (BASH, of_bash)] {
                let expected = cause.clone().filter(|_| fails);
                assert_eq!(judged(script, shell, false), expected, "{script} {shell:?}");
                assert_eq!(judged(script, shell, true), None, "{script} {shell:?}");
            }
        }
    }
}
