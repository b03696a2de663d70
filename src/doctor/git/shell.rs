//! The grammar of sh and bash (POSIX.1, Shell Command Language), as far as hooks use it. A text with
//! anything else is not parsed.

use std::rc::Rc;

/// One word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub raw: String,
    /// Without its quotes, where nothing in it is expanded.
    pub literal: Option<String>,
}

impl Word {
    /// What ends `[`.
    pub fn closing() -> Self {
        Self { raw: "]".to_owned(), literal: Some("]".to_owned()) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    operator: String,
    target: Word,
}

impl Redirect {
    /// Whether it cannot fail: it opens nothing but the device that takes all.
    pub fn opens_nothing(&self) -> bool {
        self.operator.ends_with('&')
            || self.operator.starts_with("<<")
            || self.target.literal.as_deref() == Some("/dev/null")
    }

    pub fn may_make_a_file(&self) -> bool {
        self.operator.contains('>') && !self.opens_nothing()
    }

    pub fn reads_terminal(&self) -> bool {
        self.operator == "<" && self.target.literal.as_deref() == Some("/dev/tty")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// Name and value, as it is written.
    pub assignments: Vec<(String, String)>,
    pub words: Vec<Word>,
    pub redirects: Vec<Redirect>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShellNode {
    Simple(Simple),
    /// `[[ … ]]`
    Test(Vec<Word>),
    Pipe {
        parts: Vec<ShellNode>,
        is_negated: bool,
    },
    /// Each with `true` for `&&` and `false` for `||`.
    Chain {
        first: Box<ShellNode>,
        rest: Vec<(bool, ShellNode)>,
    },
    If {
        branches: Vec<(Vec<ShellNode>, Vec<ShellNode>)>,
        otherwise: Vec<ShellNode>,
    },
    /// A loop: it may run or not.
    Maybe(Vec<ShellNode>),
    /// Each list with the patterns for which it runs.
    Case {
        subject: Word,
        arms: Vec<(Vec<Word>, Vec<ShellNode>)>,
    },
    Group(Vec<ShellNode>),
    Subshell(Vec<ShellNode>),
    Background,
    Function(String, Rc<Vec<ShellNode>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(Word),
    Operator(&'static str),
    /// What follows it is its target.
    Redirect(String),
}

/// Whether a pattern of `case` or of `[[` matches the empty text, where that is known. Pure.
pub fn matches_empty(pattern: &Word) -> Option<bool> {
    let is_known = !pattern.raw.contains(['$', '`', '(', '\\']);
    let is_empty = || pattern.raw.bytes().all(|byte| b"*\"'".contains(&byte));
    is_known.then(is_empty)
}

/// Commands may be nested no deeper.
const DEEPEST: usize = 40;

/// Pure.
pub fn parse(script: &str) -> Option<Vec<ShellNode>> {
    let tokens =
        ShellLexer { text: script.as_bytes(), at: 0, texts: Vec::new(), depth: 0 }.tokens()?;
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let nodes = parser.list(&[])?;
    (parser.at == parser.tokens.len()).then_some(nodes)
}

struct ShellLexer<'t> {
    text: &'t [u8],
    at: usize,
    /// The ends of the texts for commands that begin after this line (`<<END`), and whether their
    /// lines may begin with tabs.
    texts: Vec<(String, bool)>,
    depth: usize,
}

impl ShellLexer<'_> {
    fn tokens(mut self) -> Option<Vec<Token>> {
        const OPERATORS: &[&str] = &["&&", "||", ";;", "|&", "&", "|", ";", "(", ")"];
        let mut tokens = Vec::new();
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.peek(1) == Some(b'\n') => self.at += 2,
                b'#' => self.skip_line(),
                b'\n' => {
                    self.at += 1;
                    self.skip_texts();
                    tokens.push(Token::Operator("\n"));
                }
                b'&' if self.peek(1) == Some(b'>') => {
                    self.at += 2;
                    tokens.push(Token::Redirect("&>".to_owned()));
                }
                _ if self.redirect().is_some() => {
                    let operator = self.redirect()?;
                    self.at += operator.len();
                    if self.peek(0) == Some(b'(') {
                        return None;
                    }
                    let operator = operator.trim_start_matches(|c: char| c.is_ascii_digit());
                    if matches!(operator, "<<" | "<<-") {
                        while self.peek(0) == Some(b' ') {
                            self.at += 1;
                        }
                        let word = self.word()?;
                        let end = word.raw.replace(['\'', '"', '\\'], "");
                        self.texts.push((end, operator == "<<-"));
                        tokens.push(Token::Redirect(operator.to_owned()));
                        tokens.push(Token::Word(word));
                    } else {
                        tokens.push(Token::Redirect(operator.to_owned()));
                    }
                }
                _ => {
                    let rest = self.text.get(self.at..)?;
                    let operator = OPERATORS.iter().find(|it| rest.starts_with(it.as_bytes()));
                    if let Some(operator) = operator {
                        self.at += operator.len();
                        tokens.push(Token::Operator(operator));
                    } else {
                        tokens.push(Token::Word(self.word()?));
                    }
                }
            }
        }
        Some(tokens)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn skip_texts(&mut self) {
        for (end, has_tabs) in std::mem::take(&mut self.texts) {
            while self.at < self.text.len() {
                let from = self.at;
                self.skip_line();
                let line = self.text.get(from..self.at).unwrap_or_default();
                self.at += 1;
                let line = String::from_utf8_lossy(line);
                let line = if has_tabs { line.trim_start_matches('\t') } else { &line };
                if line == end {
                    break;
                }
            }
            self.at = self.at.min(self.text.len());
        }
    }

    /// The operator of a redirection that begins here, with the number before it.
    fn redirect(&self) -> Option<String> {
        const OPERATORS: &[&str] = &["<<<", "<<-", "<<", "<&", "<>", "<", ">>", ">&", ">|", ">"];
        let rest = self.text.get(self.at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let operator = rest.get(digits..)?;
        let operator = OPERATORS.iter().find(|it| operator.starts_with(it.as_bytes()))?;
        let number = std::str::from_utf8(rest.get(..digits)?).ok()?;
        Some(format!("{number}{operator}"))
    }

    fn word(&mut self) -> Option<Word> {
        let from = self.at;
        let mut literal = Some(Vec::new());
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => {
                    break;
                }
                b'\'' => {
                    let rest = self.text.get(self.at + 1..)?;
                    let length = rest.iter().position(|byte| *byte == b'\'')?;
                    if let Some(literal) = &mut literal {
                        literal.extend(rest.get(..length).unwrap_or_default());
                    }
                    self.at += length + 2;
                }
                b'"' => {
                    self.at += 1;
                    self.quoted(&mut literal)?;
                }
                b'\\' => {
                    let next = self.peek(1)?;
                    if next != b'\n'
                        && let Some(literal) = &mut literal
                    {
                        literal.push(next);
                    }
                    self.at += 2;
                }
                b'$' | b'`' => {
                    literal = None;
                    self.expansion()?;
                }
                b'*' | b'?' => {
                    literal = None;
                    self.at += 1;
                }
                byte => {
                    if let Some(literal) = &mut literal {
                        literal.push(byte);
                    }
                    self.at += 1;
                }
            }
        }
        let raw = String::from_utf8_lossy(self.text.get(from..self.at)?).into_owned();
        let literal = literal.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (self.at > from).then_some(Word { raw, literal })
    }

    /// The rest of a text in double quotes.
    fn quoted(&mut self, literal: &mut Option<Vec<u8>>) -> Option<()> {
        loop {
            match self.peek(0)? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    let next = self.peek(1)?;
                    if let Some(literal) = literal {
                        if !matches!(next, b'"' | b'\\' | b'$' | b'`' | b'\n') {
                            literal.push(b'\\');
                        }
                        literal.extend(Some(next).filter(|next| *next != b'\n'));
                    }
                    self.at += 2;
                }
                b'$' | b'`' => {
                    *literal = None;
                    self.expansion()?;
                }
                byte => {
                    if let Some(literal) = literal {
                        literal.push(byte);
                    }
                    self.at += 1;
                }
            }
        }
    }

    /// Skips `$name`, `${…}`, `$(…)` or `` `…` ``.
    fn expansion(&mut self) -> Option<()> {
        let is_backquote = self.peek(0)? == b'`';
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        match (is_backquote, self.peek(0)) {
            (true, _) => {
                while self.peek(0)? != b'`' {
                    self.at += if self.peek(0)? == b'\\' { 2 } else { 1 };
                }
                self.at += 1;
            }
            (false, Some(b'(')) => {
                self.at += 1;
                self.nested(b'(', b')')?;
            }
            (false, Some(b'{')) => {
                self.at += 1;
                self.nested(b'{', b'}')?;
            }
            (false, Some(b'?' | b'@' | b'*' | b'#' | b'$' | b'!' | b'-')) => self.at += 1,
            // `$'…'` has escapes of its own
            (false, Some(b'\'')) => return None,
            (false, _) => {}
        }
        self.depth -= 1;
        Some(())
    }

    fn nested(&mut self, open: u8, close: u8) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            match self.peek(0)? {
                b'\'' if close == b')' => {
                    self.at += 1;
                    while self.peek(0)? != b'\'' {
                        self.at += 1;
                    }
                }
                b'"' => {
                    self.at += 1;
                    self.quoted(&mut None)?;
                    continue;
                }
                b'\\' => self.at += 1,
                byte if byte == open => depth += 1,
                byte if byte == close => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Some(())
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_operator(&self, operators: &[&str]) -> bool {
        matches!(self.peek(), Some(Token::Operator(it)) if operators.contains(it))
    }

    /// Steps over the operator, if it is there.
    fn takes(&mut self, operator: &str) -> bool {
        let is_it = self.is_operator(&[operator]);
        self.at += usize::from(is_it);
        is_it
    }

    fn keyword(&self) -> Option<&str> {
        match self.peek()? {
            Token::Word(word) => Some(&word.raw),
            _ => None,
        }
    }

    fn expect(&mut self, keyword: &str) -> Option<()> {
        (self.keyword() == Some(keyword)).then(|| self.at += 1)
    }

    fn skip_lines(&mut self) {
        while self.is_operator(&["\n"]) {
            self.at += 1;
        }
    }

    fn next_word(&mut self) -> Option<Word> {
        let Some(Token::Word(word)) = self.peek() else { return None };
        let word = word.clone();
        self.at += 1;
        Some(word)
    }

    /// Commands up to one of the keywords, or an operator that ends them.
    fn list(&mut self, ends: &[&str]) -> Option<Vec<ShellNode>> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut nodes = Vec::new();
        loop {
            while self.is_operator(&["\n", ";"]) {
                self.at += 1;
            }
            let is_end = self.keyword().is_some_and(|word| ends.contains(&word));
            if is_end || self.peek().is_none() || self.is_operator(&[")", ";;"]) {
                break;
            }
            let node = self.chain()?;
            nodes.push(if self.takes("&") { ShellNode::Background } else { node });
        }
        self.depth -= 1;
        Some(nodes)
    }

    fn chain(&mut self) -> Option<ShellNode> {
        let first = self.pipe()?;
        let mut rest = Vec::new();
        while self.is_operator(&["&&", "||"]) {
            let is_and = self.is_operator(&["&&"]);
            self.at += 1;
            self.skip_lines();
            rest.push((is_and, self.pipe()?));
        }
        Some(if rest.is_empty() {
            first
        } else {
            ShellNode::Chain { first: Box::new(first), rest }
        })
    }

    fn pipe(&mut self) -> Option<ShellNode> {
        let is_negated = self.expect("!").is_some();
        let mut parts = vec![self.command()?];
        while self.takes("|") {
            self.skip_lines();
            parts.push(self.command()?);
        }
        if self.is_operator(&["|&"]) {
            return None;
        }
        match (parts.len(), is_negated) {
            (1, false) => parts.pop(),
            _ => Some(ShellNode::Pipe { parts, is_negated }),
        }
    }

    fn command(&mut self) -> Option<ShellNode> {
        if self.takes("(") {
            // `((` computes
            if self.is_operator(&["("]) {
                return None;
            }
            let list = self.list(&[])?;
            self.takes(")").then_some(())?;
            return self.redirected(ShellNode::Subshell(list));
        }
        match self.keyword() {
            Some("if") => self.condition(),
            Some("while" | "until") => {
                self.at += 1;
                let mut list = self.list(&["do"])?;
                list.extend(self.body()?);
                self.redirected(ShellNode::Maybe(list))
            }
            Some("for") => {
                self.at += 1;
                while self.keyword().is_some_and(|word| word != "do")
                    || self.is_operator(&["\n", ";"])
                {
                    self.at += 1;
                }
                let body = self.body()?;
                self.redirected(ShellNode::Maybe(body))
            }
            Some("case") => self.case(),
            Some("{") => {
                self.at += 1;
                let list = self.list(&["}"])?;
                self.expect("}")?;
                self.redirected(ShellNode::Group(list))
            }
            Some("[[") => {
                let from = self.at;
                while self.keyword() != Some("]]") {
                    self.peek()?;
                    self.at += 1;
                }
                self.at += 1;
                let tokens = self.tokens.get(from + 1..self.at - 1)?;
                let word = |token: &Token| match token {
                    Token::Word(word) => Some(word.clone()),
                    _ => None,
                };
                // with any operator the words decide nothing
                let words: Option<Vec<_>> = tokens.iter().map(word).collect();
                Some(ShellNode::Test(words.unwrap_or_default()))
            }
            Some("function" | "select" | "coproc" | "time") => None,
            _ => self.simple(),
        }
    }

    fn condition(&mut self) -> Option<ShellNode> {
        let mut branches = Vec::new();
        self.expect("if")?;
        loop {
            let condition = self.list(&["then"])?;
            self.expect("then")?;
            branches.push((condition, self.list(&["elif", "else", "fi"])?));
            if self.expect("elif").is_none() {
                break;
            }
        }
        let has_other = self.expect("else").is_some();
        let otherwise = if has_other { self.list(&["fi"])? } else { Vec::new() };
        self.expect("fi")?;
        self.redirected(ShellNode::If { branches, otherwise })
    }

    fn body(&mut self) -> Option<Vec<ShellNode>> {
        self.expect("do")?;
        let list = self.list(&["done"])?;
        self.expect("done")?;
        Some(list)
    }

    fn case(&mut self) -> Option<ShellNode> {
        self.expect("case")?;
        let subject = self.next_word()?;
        self.skip_lines();
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_lines();
            if self.expect("esac").is_some() {
                break;
            }
            self.takes("(");
            let mut patterns = Vec::new();
            while !self.takes(")") {
                match self.next_word() {
                    Some(pattern) => patterns.push(pattern),
                    None => self.takes("|").then_some(())?,
                }
            }
            arms.push((patterns, self.list(&["esac"])?));
            self.takes(";;");
        }
        self.redirected(ShellNode::Case { subject, arms })
    }

    /// Steps over the redirections of a command that has others in it.
    fn redirected(&mut self, node: ShellNode) -> Option<ShellNode> {
        while matches!(self.peek(), Some(Token::Redirect(_))) {
            self.at += 1;
            self.next_word()?;
        }
        Some(node)
    }

    fn simple(&mut self) -> Option<ShellNode> {
        let mut simple = Simple::default();
        loop {
            match self.peek() {
                Some(Token::Word(_)) => {
                    let word = self.next_word()?;
                    let assigned = assignment(&word.raw).filter(|_| simple.words.is_empty());
                    if let Some((name, value)) = assigned {
                        simple.assignments.push((name.to_owned(), value.to_owned()));
                        // a list of values
                        if value.is_empty() && self.takes("(") {
                            while !self.takes(")") {
                                self.peek()?;
                                self.at += 1;
                            }
                        }
                    } else {
                        simple.words.push(word);
                    }
                }
                Some(Token::Redirect(operator)) => {
                    let operator = operator.clone();
                    self.at += 1;
                    simple.redirects.push(Redirect { operator, target: self.next_word()? });
                }
                Some(Token::Operator("(")) => return self.function(&simple),
                _ => break,
            }
        }
        let is_empty = simple == Simple::default();
        (!is_empty).then_some(ShellNode::Simple(simple))
    }

    /// `name() { … }`
    fn function(&mut self, simple: &Simple) -> Option<ShellNode> {
        let [name] = &simple.words[..] else { return None };
        let name = name.literal.clone()?;
        self.takes("(");
        self.takes(")").then_some(())?;
        self.skip_lines();
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let body = self.command()?;
        self.depth -= 1;
        Some(ShellNode::Function(name, Rc::new(vec![body])))
    }
}

/// `NAME=value`, `NAME+=value`.
fn assignment(raw: &str) -> Option<(&str, &str)> {
    let (name, value) = raw.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    (is_name && !name.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands, in the order in which they are written.
    fn words(nodes: &[ShellNode]) -> Vec<String> {
        let mut found = Vec::new();
        for node in nodes {
            match node {
                ShellNode::Simple(simple) => {
                    let words = simple.words.iter();
                    found.extend(words.map(|it| it.literal.clone().unwrap_or_default()).take(1));
                }
                ShellNode::Pipe { parts, .. } => found.extend(words(parts)),
                ShellNode::Chain { first, rest } => {
                    found.extend(words(std::slice::from_ref(first)));
                    for (_, node) in rest {
                        found.extend(words(std::slice::from_ref(node)));
                    }
                }
                ShellNode::If { branches, otherwise } => {
                    for (condition, body) in branches {
                        found.extend(words(condition));
                        found.extend(words(body));
                    }
                    found.extend(words(otherwise));
                }
                ShellNode::Case { arms, .. } => {
                    for (_, list) in arms {
                        found.extend(words(list));
                    }
                }
                ShellNode::Maybe(list) | ShellNode::Group(list) | ShellNode::Subshell(list) => {
                    found.extend(words(list));
                }
                ShellNode::Function(_, body) => found.extend(words(body)),
                ShellNode::Test(_) | ShellNode::Background => {}
            }
        }
        found
    }

    #[test]
    fn commands_are_found_as_the_shell_finds_them() {
        for (script, expected) in [
            ("a 'b c' | d && e || f; g", "a d e f g"),
            ("a \\\n b\nc # d\n#e\n", "a c"),
            ("cat <<E; b\nc\nE\nd\n", "cat b d"),
            ("cat <<-'E'\n\tc\n\tE\nd\n", "cat d"),
            ("a >/dev/null 2>&1 <f &> g; b", "a b"),
            ("if a; then b; elif c; then d; else e; fi >x; f", "a b c d e f"),
            ("for x in *.c \"$@\"; do a; done; for x\ndo b; done", "a b"),
            ("while read -r x; do a; done < <f", ""),
            ("case \"$1\" in a|b) c ;; *) d;; esac; e", "c d e"),
            ("f() {\n a\n}\nf", "a f"),
            ("( a; b ) && { c; }", "a b c"),
            ("A=1 B=(x y) c; D=$(e \")\" ')') f", "c f"),
            ("[[ -n a && b < c ]] && d", "d"),
            ("! a", "a"),
            ("\"a b\" $c `d` e", "a b"),
            ("echo \"$(a \"$(b)\")\" ${c:-\"}\"}; d", "echo d"),
            ("if a; then", ""),
            ("(( a > 1 ))", ""),
            ("'a", ""),
            ("a $'b'", ""),
            ("", ""),
        ] {
            let found = parse(script).map(|nodes| words(&nodes).join(" ")).unwrap_or_default();
            assert_eq!(found, expected, "{script}");
        }
    }

    #[test]
    fn no_text_takes_the_stack() {
        for text in ["( ", "{ ", "$(", "\"$(", "if ", "a() ", "`", "! ", "case x in x) "] {
            parse(&text.repeat(100_000));
            parse(&format!("echo {}", text.repeat(100_000)));
        }
    }
}
