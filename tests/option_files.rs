//! Option files beside `my_print_defaults`, which reads them as the server and its tools do: the
//! same files, the same groups, the same options in the same order.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::peers::peer;
use tempfile::TempDir;

/// The groups of each name, in the order in which the real programs tell them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("xtrabackup", &["xtrabackup", "mysqld", "client"]),
    ("innobackupex", &["xtrabackup", "innobackupex", "mysqld", "client"]),
    ("mariabackup", MARIADB),
    ("mariadb-backup", MARIADB),
];

const MARIADB: &[&str] = &[
    "xtrabackup",
    "mariabackup",
    "mariadb-backup",
    "mysqld",
    "server",
    "mysqld-10.11",
    "mariadb",
    "mariadb-10.11",
    "mariadbd",
    "mariadbd-10.11",
    "client-server",
    "galera",
    "client",
    "client-mariadb",
];

/// A directory with `home`, which is `HOME`, and `server`, which is `MYSQL_HOME`.
struct Place {
    dir: TempDir,
    peer: PathBuf,
}

impl Place {
    fn new() -> Option<Self> {
        let peer = peer("my_print_defaults")?;
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "server", "bin"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        for (name, _) in GROUPS {
            symlink(env!("CARGO_BIN_EXE_xbkit"), dir.path().join("bin").join(name)).unwrap();
        }
        Some(Self { dir, peer })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = String::from_utf8_lossy(content.as_ref()).into_owned();
        fs::write(&path, text.replace("{}", self.dir.path().to_str().unwrap())).unwrap();
    }

    fn run(&self, program: &Path, first: &[&str], rest: &[&str]) -> Output {
        let first: Vec<String> =
            first.iter().map(|arg| arg.replace("{}", self.dir.path().to_str().unwrap())).collect();
        Command::new(program)
            .args(first)
            .args(rest)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("MYSQL_HOME", self.path("server"))
            .output()
            .unwrap()
    }

    /// Compares what each of our names makes of the files with what the peer does.
    #[track_caller]
    fn agrees(&self, first: &[&str]) -> String {
        let mut seen = String::new();
        for (name, groups) in GROUPS {
            let theirs = self.run(&self.peer, first, groups);
            assert!(theirs.status.success(), "{theirs:?}");
            let theirs = String::from_utf8(theirs.stdout).unwrap().replace('\n', " ");
            let ours = self.run(
                &self.path("bin").join(name),
                &[first, &["--print-defaults"]].concat(),
                &[],
            );
            assert!(ours.status.success(), "{name}: {ours:?}");
            let ours = String::from_utf8(ours.stdout).unwrap();
            let (_, ours) = ours.split_once("arguments:\n").unwrap();
            let ours = ours.strip_suffix('\n').unwrap().replace('\n', " ");
            assert_eq!(ours, theirs, "{name} {first:?}");
            seen.push_str(&ours);
        }
        seen
    }
}

#[test]
fn quotes_comments_and_odd_lines_are_read_alike() {
    let Some(place) = Place::new() else { return };
    place.write(
        "odd.cnf",
        concat!(
            "[mysqld]\r\nplain = 1\r\n",
            "b = \"q # x\"   # comment\nc = 'it''s'\nd=a\\sb\\x\\\"\\t|\\r|\\b|\\\\|\\'|\nd2='a\\'#b' # c\n",
            "e=\"a\" b\nf = a\"b#c\"d\ng\nh =\nnewline=\"a\\nb\"\n",
            "[ mysqld ]\nnot=mine\n[mysqld] # comment\nj=2\n[mysqld]junk\nk=3\n[mysqld ]\nk2=3\n",
            "[other]\nnot=mine\n[client]\n ; comment\n# comment\nl2=a;b\nn = \"unterminated\n",
            "o='\n=p\nq = =x\n\"r\" = s\n\ttab\t=\tv\t\nskip-name-resolve\ndash_and-line=1\n",
            "[mariadb]\nof=mariadb\n[galera]\nof=galera\n[mariabackup]\nparallel=3\n",
            "[client-server]\nof=both\n[xtrabackup]\nparallel=4\n[innobackupex]\nparallel=5\n",
            "[mariadb-10.11]\nof=version\n[MYSQLD]\ncase=counts\n!other directive\n! include x\n",
            "loose-x=1"
        ),
    );
    let seen = place.agrees(&["--defaults-file={}/odd.cnf"]);
    assert!(seen.contains("--b=q # x ") && seen.contains("--of=galera"), "{seen}");
}

#[test]
fn files_come_in_the_same_order_and_from_the_same_places() {
    let Some(place) = Place::new() else { return };
    place.write("home/.my.cnf", "[mysqld]\nin=home\n[mysqld_two]\nin=home of two\n");
    place.write("server/my.cnf", "[mysqld]\nin=server\n");
    place.write("extra.cnf", "[mysqld]\nin=extra\n[client]\nin=extra\n");
    let seen = place.agrees(&[]);
    assert!(seen.contains("--in=server --in=home"), "{seen}");
    let seen = place.agrees(&["--defaults-extra-file={}/extra.cnf"]);
    assert!(seen.contains("--in=server --in=extra --in=extra --in=home"), "{seen}");
    let seen = place.agrees(&["--defaults-file={}/extra.cnf"]);
    assert!(!seen.contains("home"), "{seen}");
    let seen = place.agrees(&["--defaults-group-suffix=_two"]);
    assert!(seen.contains("home of two"), "{seen}");
    let both = ["--defaults-extra-file={}/extra.cnf", "--defaults-group-suffix=_two"];
    assert!(place.agrees(&both).contains("home of two"));
    // A name relative to the working directory.
    place.agrees(&["--defaults-file=extra.cnf"]);
    place.agrees(&["--no-defaults"]);
}

#[test]
fn files_that_include_others_are_read_alike() {
    let Some(place) = Place::new() else { return };
    place.write(
        "main.cnf",
        "[mysqld]\nfirst\n!include {}/one.cnf\nafter=one\n!includedir {}/conf.d/\nlast\n\
         !include {}/missing.cnf\n[client]\nuser=x\n!include   {}/spaces and.cnf\n",
    );
    place.write("one.cnf", "[mysqld]\nin=one\n!include {}/two.cnf\n[other]\nx\n");
    place.write("two.cnf", "[mysqld]\nin=two\n");
    place.write("spaces and.cnf", "[client]\nin=spaces\n");
    for name in ["20.cnf", "10.cnf", "b.cnf", "A.cnf", ".cnf", "x.cnf.bak", "y.ini", "z.CNF"] {
        place.write(&format!("conf.d/{name}"), format!("[mysqld]\nin={name}\n"));
    }
    let seen = place.agrees(&["--defaults-file={}/main.cnf"]);
    assert!(seen.contains("--in=two --after=one --in=.cnf --in=10.cnf --in=20.cnf"), "{seen}");
    assert!(seen.contains("--in=spaces"), "{seen}");
}

/// What the server's tools would ignore, or not read, must not be what a backup goes by.
#[test]
fn files_that_everybody_may_write_are_not_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(place) = Place::new() else { return };
    place.write("home/.my.cnf", "[mysqld]\nin=home\n");
    place.write("server/my.cnf", "[mysqld]\nin=server\n");
    let open = fs::Permissions::from_mode(0o666);
    fs::set_permissions(place.path("home/.my.cnf"), open).unwrap();
    let seen = place.agrees(&[]);
    assert!(seen.contains("--in=server") && !seen.contains("--in=home"), "{seen}");
}

#[test]
fn broken_and_missing_files_are_refused_by_both() {
    let Some(place) = Place::new() else { return };
    place.write("early.cnf", "datadir=/x\n[mysqld]\n");
    place.write("open.cnf", "[mysqld\ndatadir=/x\n");
    for file in ["early.cnf", "open.cnf", "missing.cnf"] {
        for option in ["--defaults-file", "--defaults-extra-file"] {
            let first = format!("{option}={{}}/{file}");
            let theirs = place.run(&place.peer, &[&first], &["mysqld"]);
            assert!(!theirs.status.success(), "{file}: the peer takes it: {theirs:?}");
            for (name, _) in GROUPS {
                let ours = place.run(&place.path("bin").join(name), &[&first, "--backup"], &[]);
                assert_eq!(ours.status.code(), Some(1), "{name} {file}: {ours:?}");
                let said = String::from_utf8_lossy(&ours.stderr).into_owned();
                assert!(said.contains(file), "{name}: {said}");
            }
        }
    }
}
