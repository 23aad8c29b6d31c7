//! `xbkit.h` taken apart: its constants and functions, and what their comments say.

use super::{read, root};

/// A function of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) result: String,
    /// Type and name of each parameter.
    pub(crate) params: Vec<(String, String)>,
    pub(crate) doc: String,
}

impl Function {
    /// Whether the comment lets a parameter be NULL, and so does not demand an object.
    pub(crate) fn may_be_null(&self, param: &str) -> bool {
        let marker = "\\param ";
        self.doc
            .split(marker)
            .skip(1)
            .filter(|text| text.split_whitespace().next() == Some(param))
            .any(|text| text.contains("may be NULL"))
    }
}

pub(crate) fn text() -> String {
    read(root().join("include/xbkit.h"))
}

/// Constants and their values, as written.
pub(crate) fn constants(header: &str) -> Vec<(String, String)> {
    header
        .lines()
        .filter_map(|line| line.strip_prefix("#define XBK_"))
        .filter_map(|rest| rest.split_once(' '))
        .filter(|(_, value)| value.parse::<i64>().is_ok())
        .map(|(name, value)| (format!("XBK_{name}"), value.to_owned()))
        .collect()
}

/// All functions, in order.
pub(crate) fn functions(header: &str) -> Vec<Function> {
    let (mut found, mut doc, mut code) = (Vec::new(), String::new(), String::new());
    let mut in_comment = false;
    for line in header.lines() {
        let line = line.trim();
        if line.starts_with("/*") {
            in_comment = true;
            doc.clear();
        }
        if in_comment {
            doc.push_str(line.trim_start_matches(['/', '*', ' ']));
            doc.push('\n');
            in_comment = !line.ends_with("*/");
            code.clear();
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        code.push_str(line);
        code.push(' ');
        if line.ends_with(';') {
            let code = std::mem::take(&mut code);
            if let Some((name, result, params)) = prototype(&code) {
                found.push(Function { name, result, params, doc: doc.clone() });
            }
        }
    }
    found
}

type Prototype = (String, String, Vec<(String, String)>);

/// Name, result and parameters of a prototype.
fn prototype(code: &str) -> Option<Prototype> {
    if code.starts_with("typedef") || code.contains('{') || code.contains('}') {
        return None;
    }
    let code = code.replace("XBK_MUST_USE", "");
    let (head, rest) = code.trim().split_once('(')?;
    let (result, name) = declarator(head);
    let inner = rest.rsplit_once(')')?.0;
    let params = inner
        .split(',')
        .map(str::trim)
        .filter(|param| *param != "void" && !param.is_empty())
        .map(declarator)
        .collect();
    Some((name, result, params))
}

/// `const char *path` as (`const char *`, `path`).
fn declarator(text: &str) -> (String, String) {
    let text = text.trim();
    let begin = text.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    (text[..begin].trim().to_owned(), text[begin..].to_owned())
}
