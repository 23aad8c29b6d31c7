//! The order of things: what is read when, and under which lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fixups::{compare, marker, stem};
use super::metadata::{self, Facts};
use super::opened::{Begin, HEAD, ID};
use super::pages::{PageReading, Tables, Tablespace};
use super::places::{OtherFile, Places, SpaceFile};
use super::redo::{Follow, RedoCopy, RedoFile, tail};
use super::spooled::{LockedFiles, Part};
use super::throttle::Throttle;
use super::{ServerBackup, ServerReport};
use crate::create::CreateReport;
use crate::create::feed::TaskFeed;
use crate::create::run::{Content, Task};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Level;
use crate::format::member::MemberPath;
use crate::innodb::redo::own_header;
use crate::io::spool::Spool;
use crate::metadata::Naming;
use crate::server::{
    LOCKED_PATIENCE, Lsns, Needs, Position, Session, Stage, StageTimes, Stages, StoppedSlaves,
    Variables, check_privileges, galera, lsns, position, slaves,
};
use crate::sys::file;
use crate::sys::thread::spawn_worker;

/// Bytes that each spool keeps in memory.
const SPOOL_MEMORY: usize = 8 << 20;

/// The file that lists damaged pages: what `mariabackup --log-innodb-page-corruption` calls it.
const DAMAGED_PAGES: &str = "innodb_corrupted_pages";

/// Bytes of each file's begin that are asked for early.
const WANTED: u64 = 64 << 10;

/// How often the log is looked at until its checkpoint is the server's, and how long to wait between.
const LOG_TRIES: u32 = 10;
const LOG_PAUSE: Duration = Duration::from_millis(20);

/// Longest `aria_log_control` there is.
const MAX_CONTROL: usize = 64 << 10;

/// Makes the backup; everything it reads goes to `feed`.
pub(super) fn conduct(job: &ServerBackup, feed: &TaskFeed) -> Result<ServerReport> {
    let look = || feed.check();
    let mut query = Session::open(&job.connect, &look)?;
    let variables = Variables::read(&mut query, &look)?;
    check_version(&variables)?;
    let places = Places::of(&variables)?;
    places.check(job.datadir.as_deref())?;
    let log_bin = variables.is_on("log_bin");
    let needs = Needs {
        log_bin,
        slave_status: job.slave_info || job.safe_slave.is_some(),
        slave_threads: job.safe_slave.is_some(),
    };
    check_privileges(&mut query, needs, &look)?;
    let stages = Stages::new(Session::open(&job.connect, &look)?, job.lock_wait, &look)?;
    let tailing = Session::open(&job.connect, &look)?;
    let redo = open_redo(&places, &mut query, &look)?;

    let follow = Follow::default();
    let spool = Spool::new(&job.tmpdir, SPOOL_MEMORY, job.max_spool);
    std::thread::scope(|scope| {
        let _stop = StopTail(&follow);
        let (from_lsn, encrypted_log) = (redo.checkpoint.lsn, redo.header.encrypted);
        feed.log(Level::Info, format!("following the redo log from LSN {from_lsn}"));
        let tailer = spawn_worker(scope, "xbkit-redo", || tail(redo, tailing, spool, &follow))?;
        let follow = &follow;
        let mut conductor =
            Conductor { job, feed, follow, query, variables, places, encrypted_log };
        let read = conductor.read_all(stages)?;
        let redo = tailer
            .join()
            .map_err(|panic| Error::from_panic(&*panic))?
            .ok_or_else(|| Error::new(ErrorKind::InvalidState, "the redo log was not followed"))?;
        conductor.send_all(read, redo)
    })
}

/// Ends the tailer whatever ends the conductor.
struct StopTail<'f>(&'f Follow);

impl Drop for StopTail<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn check_version(variables: &Variables) -> Result<()> {
    let version = variables.text("version");
    let numbers: Vec<u32> =
        version.split(['.', '-']).map_while(|part| part.parse().ok()).take(2).collect();
    let is_mariadb = version.contains("MariaDB");
    if is_mariadb && matches!(numbers.as_slice(), [major, minor] if (*major, *minor) >= (10, 8)) {
        return Ok(());
    }
    let message = format!("the server is version {version}, whose redo log is not understood");
    Err(Error::new(ErrorKind::Unsupported, message).hint(
        "hot backups are for MariaDB 10.8 and later; stop another server, and back it up cold",
    ))
}

/// Opens the log, which must be that of the server we are connected to: on another machine, or in
/// a container, a directory of the same name may hold another server's.
fn open_redo(
    places: &Places,
    query: &mut Session,
    look: &dyn Fn() -> Result<()>,
) -> Result<RedoFile> {
    let (mut found, mut after) = (0, 0);
    for _ in 0..LOG_TRIES {
        let Lsns { checkpoint: before, .. } = lsns(query, look)?;
        let redo = RedoFile::open(&places.redo)?;
        after = lsns(query, look)?.checkpoint;
        found = redo.checkpoint.lsn;
        if (before..=after).contains(&found) {
            return Ok(redo);
        }
        // Once in some hundred backups a checkpoint was read that the server had passed long ago.
        std::thread::sleep(LOG_PAUSE);
    }
    let message = format!(
        "this redo log is not that of the server: its checkpoint is {found}, that of the server \
         {after}"
    );
    Err(Error::new(ErrorKind::InvalidArgument, message)
        .at_path(&places.redo)
        .hint("run on the server's own machine, where its data directory has the same name"))
}

/// What keeps still while DDL is blocked.
fn read_others(
    locked: &mut LockedFiles,
    files: Vec<OtherFile>,
    empty: Vec<MemberPath>,
    look: &dyn Fn() -> Result<()>,
) -> Result<()> {
    for file in files {
        look()?;
        locked.file(file.member, &file.path)?;
    }
    empty.into_iter().try_for_each(|member| locked.bytes(member, b""))
}

struct Conductor<'c> {
    job: &'c ServerBackup,
    feed: &'c TaskFeed,
    follow: &'c Follow,
    query: Session,
    variables: Variables,
    places: Places,
    encrypted_log: bool,
}

/// What was asked and begun before the locks.
struct Begun {
    uuid: String,
    start_time: String,
    plugins: crate::server::Rows,
    tables: Arc<Tables>,
}

/// What was read by the time the locks were released.
struct AllRead {
    locked: LockedFiles,
    position: Option<Position>,
    slaves: Option<String>,
    galera: Option<String>,
    plugins: crate::server::Rows,
    uuid: String,
    start_time: String,
    end_time: String,
    times: StageTimes,
    tables: Arc<Tables>,
}

impl Conductor<'_> {
    fn ask(&mut self, statement: &str) -> Result<crate::server::Rows> {
        let (feed, follow) = (self.feed, self.follow);
        self.query.run(statement, &|| feed.check().and_then(|()| follow.check()))
    }

    fn ask_one(&mut self, statement: &str) -> Result<String> {
        Ok(self.ask(statement)?.first(0).unwrap_or_default())
    }

    /// Everything up to the release of the locks. Whatever fails here drops `stages`, and with it
    /// the locks; then the threads of a replica that were stopped go on.
    fn read_all(&mut self, mut stages: Stages) -> Result<AllRead> {
        let (feed, follow) = (self.feed, self.follow);
        let look = || feed.check().and_then(|()| follow.check());
        let uuid = self.ask_one("SELECT UUID()")?;
        let start_time = self.ask_one("SELECT NOW()")?;
        let plugins = self.ask(
            "SELECT plugin_name, plugin_library FROM information_schema.plugins \
             WHERE plugin_type = 'ENCRYPTION' AND plugin_status = 'ACTIVE'",
        )?;

        stages.enter(Stage::Start, &look)?;
        let direct = self.variables.text("innodb_flush_method").starts_with("O_DIRECT");
        let damaged = self.job.options.pages.unwrap_or_default();
        let tables = Arc::new(Tables::new(Throttle::new(self.job.throttle), direct, damaged));
        let (mut spaces, walked) = (self.places.spaces()?, self.places.walk()?);
        self.check_elsewhere(&walked.tables)?;
        spaces.extend(walked.tables);
        feed.log(Level::Info, format!("copying {} files of InnoDB", spaces.len()));
        for file in spaces {
            let member = file.member.clone();
            let origin = Tablespace { file, tables: Arc::clone(&tables) };
            feed.push(Task::from_origin(member, origin))?;
        }
        // So that small files need not come from the disk while DDL waits for us.
        for file in &walked.block_ddl {
            look()?;
            file::want_begin(&file.path, WANTED);
        }
        feed.wait_idle(&look)?;

        let begun = Begun { uuid, start_time, plugins, tables };
        let Some(slaves) = self.stop_slaves()? else {
            return self.read_locked(stages, begun);
        };
        let read = self.read_locked(stages, begun);
        match (read, slaves.restart()) {
            (Ok(read), Ok(())) => Ok(read),
            (Err(error), Ok(())) | (Ok(_), Err(error)) => Err(error),
            (Err(error), Err(stopped)) => {
                Err(Error::new(error.kind(), format!("{error}; and {stopped}")))
            }
        }
    }

    /// Stops what a replica applies, if that was asked for, until the locks are released.
    fn stop_slaves(&mut self) -> Result<Option<StoppedSlaves>> {
        let Some(timeout) = self.job.safe_slave else { return Ok(None) };
        let (feed, follow) = (self.feed, self.follow);
        let look = || feed.check().and_then(|()| follow.check());
        let stopped =
            StoppedSlaves::at_safe_point(&self.job.connect, &mut self.query, timeout, &look)?;
        let message = match stopped {
            Some(_) => "the replica applies nothing until the locks are released",
            None => "the server is no replica, so nothing is stopped",
        };
        feed.log(Level::Info, message.to_owned());
        Ok(stopped)
    }

    /// What is read under locks.
    fn read_locked(&mut self, mut stages: Stages, begun: Begun) -> Result<AllRead> {
        let (feed, follow) = (self.feed, self.follow);
        let look = || feed.check().and_then(|()| follow.check());
        let Begun { uuid, start_time, plugins, tables } = begun;
        let spool = Spool::new(&self.job.tmpdir, SPOOL_MEMORY, self.job.max_spool);
        let mut locked = LockedFiles::new(spool);
        self.query.be_patient_for(LOCKED_PATIENCE);
        stages.enter(Stage::Flush, &look)?;
        stages.enter(Stage::BlockDdl, &look)?;
        let walked = self.places.walk()?;
        read_others(&mut locked, walked.block_ddl, walked.empty, &look)?;
        self.read_fixups(&mut locked, &tables, &walked.tables, &look)?;

        stages.enter(Stage::BlockCommit, &look)?;
        let position =
            if self.variables.is_on("log_bin") { position(&mut self.query, &look)? } else { None };
        let slaves = if self.job.slave_info {
            slaves(&mut self.query, &self.variables, &look)?
        } else {
            None
        };
        let galera = self.galera()?;
        let end = lsns(&mut self.query, &look)?.current;
        stages.run("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS", &look)?;
        self.read_aria(&mut locked, walked.block_commit, &look)?;
        follow.finish_at(end, LOCKED_PATIENCE, &look)?;
        let end_time = self.ask_one("SELECT NOW()")?;
        let times = stages.end(&look)?;
        Ok(AllRead {
            locked,
            position,
            slaves,
            galera,
            plugins,
            uuid,
            start_time,
            end_time,
            times,
            tables,
        })
    }

    fn galera(&mut self) -> Result<Option<String>> {
        if !self.job.galera_info {
            return Ok(None);
        }
        let feed = self.feed;
        let found = galera(&mut self.query, &self.variables, &|| feed.check())?;
        found.map(Some).ok_or_else(|| {
            let message = "the server is no node of a Galera cluster, so there is no galera_info";
            Error::new(ErrorKind::InvalidArgument, message)
        })
    }

    /// An encrypted log names a table elsewhere by its path, where a server that recovers the copy
    /// would look for it: it would miss the file, or change the original.
    fn check_elsewhere(&self, spaces: &[SpaceFile]) -> Result<()> {
        let found = spaces.iter().find(|file| file.elsewhere);
        let Some(file) = found.filter(|_| self.encrypted_log) else { return Ok(()) };
        let message = "a table with a DATA DIRECTORY, and an encrypted redo log, which names its \
                       path: this is not supported together";
        Err(Error::new(ErrorKind::Unsupported, message)
            .at_path(&file.path)
            .hint("move the table into the data directory, or use innodb_encrypt_log=OFF"))
    }

    /// What DDL did to tablespaces since they were listed.
    fn read_fixups(
        &self,
        locked: &mut LockedFiles,
        tables: &Tables,
        files: &[SpaceFile],
        look: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let copied = tables.copied();
        self.check_elsewhere(files)?;
        let mut now = HashMap::new();
        for file in files {
            let known = copied.get(&file.member).filter(|copied| copied.is_untouched(&file.path));
            let id = match known {
                Some(copied) => Some(copied.id),
                None => match tables.open(file, ID)?.map(|opened| opened.begin) {
                    Some(Begin::Space(id)) => Some(id),
                    Some(Begin::Zero) => None,
                    None => continue,
                },
            };
            now.insert(file.member.clone(), id);
        }
        let copied = copied.into_iter().map(|(member, copied)| (member, copied.id)).collect();
        let fixups = compare(&copied, &now);
        for path in &fixups.removed {
            locked.bytes(marker(path, "del")?, b"")?;
        }
        for (from, to) in &fixups.renamed {
            locked.bytes(marker(from, "ren")?, stem(to))?;
        }
        let by_name: HashMap<&MemberPath, &SpaceFile> =
            files.iter().map(|file| (&file.member, file)).collect();
        for path in &fixups.made {
            look()?;
            let Some(of) = by_name.get(path) else { continue };
            let Some(opened) = tables.open(of, HEAD)? else { continue };
            let mut reading = PageReading::new(opened, of, tables)?;
            locked.reading(marker(path, "new")?, &mut reading)?;
        }
        let counts = (fixups.made.len(), fixups.removed.len(), fixups.renamed.len());
        if counts != (0, 0, 0) {
            let (made, removed, renamed) = counts;
            let message = format!(
                "DDL during the copy: {made} tables made or rebuilt, {removed} removed, \
                 {renamed} renamed"
            );
            self.feed.log(Level::Info, message);
        }
        Ok(())
    }

    /// What keeps still only when nothing can commit: Aria, and the server's own tables.
    fn read_aria(
        &self,
        locked: &mut LockedFiles,
        files: Vec<OtherFile>,
        look: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        for file in files.into_iter().chain(self.places.aria_logs()?) {
            look()?;
            locked.file(file.member, &file.path)?;
        }
        let path = self.places.aria_control();
        let control = file::read_small(&path, MAX_CONTROL).map_err(|error| {
            Error::io(ErrorKind::Source, "reading Aria's control file", error).at_path(&path)
        })?;
        locked.bytes(MemberPath::new(b"aria_log_control")?, &control)
    }

    /// Sends what was read under locks, then the redo log, then the metadata.
    fn send_all(self, read: AllRead, redo: RedoCopy) -> Result<ServerReport> {
        let feed = self.feed;
        let look = || feed.check();
        self.tell_times(&read.times);
        for task in read.locked.into_tasks() {
            feed.push(task)?;
        }
        feed.wait_idle(&look)?;
        let version = self.variables.text("version");
        let head = own_header(&redo.header, redo.checkpoint, &version);
        let (to_lsn, last_lsn) = (redo.newest.lsn.min(redo.end), redo.end);
        let from_lsn = redo.checkpoint.lsn;
        let log = Part::whole(head, redo.spool);
        feed.push(Task::from_origin(MemberPath::new(b"ib_logfile0")?, log))?;
        feed.wait_idle(&look)?;

        let facts = Facts {
            variables: &self.variables,
            tool: &self.job.tool,
            uuid: read.uuid,
            start_time: read.start_time,
            end_time: read.end_time,
            lock_seconds: read.times.flush.as_secs(),
            position: read.position.as_ref(),
            to_lsn,
            last_lsn,
            format: self.job.options.format.name(),
            compressed: self.job.options.storing.compression.is_some(),
        };
        let prefix = Naming::of_mariadb(&version).prefix();
        let put = |name: &str, text: String| {
            let member = MemberPath::new(name.as_bytes())?;
            feed.push(Task { member, content: Content::Bytes(text.into_bytes()) })
        };
        self.send_damaged(&read.tables)?;
        if self.job.slave_info && read.slaves.is_none() {
            feed.log(
                Level::Info,
                format!("the server is no replica, so there is no {prefix}_slave_info"),
            );
        }
        if let Some(text) = read.slaves {
            put(&format!("{prefix}_slave_info"), text)?;
        }
        if let Some(text) = read.galera {
            put(&format!("{prefix}_galera_info"), text)?;
        }
        if let Some(position) = &read.position {
            put(&format!("{prefix}_binlog_info"), metadata::binlog_info(position))?;
        }
        let checkpoints = (format!("{prefix}_checkpoints"), metadata::checkpoints(&facts));
        let info = (format!("{prefix}_info"), metadata::info(&facts));
        put(&checkpoints.0, checkpoints.1.clone())?;
        put("backup-my.cnf", metadata::options(&self.variables, &read.plugins))?;
        feed.wait_idle(&look)?;
        put(&info.0, info.1.clone())?;
        feed.wait_idle(&look)?;

        let counts = &read.tables.counts;
        Ok(ServerReport {
            created: CreateReport::default(),
            position: read.position,
            from_lsn,
            to_lsn,
            last_lsn,
            times: read.times,
            lsn_files: [checkpoints, info],
            torn_pages: counts.torn.load(Ordering::Relaxed),
            unchecked_pages: counts.unchecked.load(Ordering::Relaxed),
        })
    }

    /// What `mariabackup --prepare` looks for.
    fn send_damaged(&self, tables: &Tables) -> Result<()> {
        let pieces = tables.damage.listing();
        if pieces.is_empty() {
            return Ok(());
        }
        let spool = Spool::new(&self.job.tmpdir, SPOOL_MEMORY, self.job.max_spool);
        let mut list = LockedFiles::new(spool);
        list.pieces(MemberPath::new(DAMAGED_PAGES.as_bytes())?, &pieces)?;
        list.into_tasks().try_for_each(|task| self.feed.push(task))
    }

    fn tell_times(&self, times: &StageTimes) {
        let ms = |time: Duration| format!("{}.{:03} s", time.as_secs(), time.subsec_millis());
        let message = format!(
            "locks released: writes to tables without transactions waited {}, DDL {}, commits {}",
            ms(times.flush),
            ms(times.block_ddl),
            ms(times.block_commit)
        );
        self.feed.log(Level::Info, message);
    }
}
