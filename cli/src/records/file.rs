//! The IPFIX File of a run, or several of them, one after the other.

use std::{
    fs::{self, File},
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Instant,
};

use vnet::{
    flow::FlowRecord,
    ipfix::{
        file::{FileError, FileWriter, FlowFile},
        reliable::{Rotation, set_aside},
    },
};

use super::{options::Recording, outputs::now};

/// Where flow records are written to. A file that is large or old enough is renamed, and the next begins with the templates.
pub(super) struct RecordFile {
    file: FlowFile<File>,
    options: Recording,
    path: PathBuf,
    since: Instant,
    /// Records of this file.
    records: u64,
    /// Records of those before.
    before: u64,
}

impl RecordFile {
    /// Begins a file. Where files are to be renamed, one that is there is renamed as well; otherwise it is emptied.
    pub(super) fn open(path: &Path, options: &Recording) -> Result<Self, FileError> {
        let is_kept = options.rotation != Rotation::default()
            && fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0);
        if is_kept {
            put_aside(path)?;
        }
        Ok(Self {
            file: begin(path, options)?,
            options: options.clone(),
            path: path.to_owned(),
            since: Instant::now(),
            records: 0,
            before: 0,
        })
    }

    pub(super) fn write(&mut self, record: &FlowRecord, export_time: u32) -> Result<(), FileError> {
        self.file.write(record, export_time)?;
        self.records += 1;
        let Some(size) = self.options.rotation.size else { return Ok(()) };
        if self.file.octets() >= size { self.turn() } else { Ok(()) }
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self) -> Result<(), FileError> {
        let Some(age) = self.options.rotation.age else { return Ok(()) };
        // One without records is kept for those to come.
        if self.records > 0 && self.since.elapsed() >= age { self.turn() } else { Ok(()) }
    }

    /// Ends the file; the number of records of all files.
    pub(super) fn finish(&mut self) -> Result<u64, FileError> {
        Ok(self.before + self.file.finish(now())?)
    }

    fn turn(&mut self) -> Result<(), FileError> {
        self.before += self.file.finish(now())?;
        put_aside(&self.path)?;
        self.file = begin(&self.path, &self.options)?;
        (self.since, self.records) = (Instant::now(), 0);
        Ok(())
    }
}

fn put_aside(path: &Path) -> Result<(), FileError> {
    set_aside(path).map_err(|source| FileError::Io { path: path.to_owned(), source })
}

fn begin(path: &Path, options: &Recording) -> Result<FlowFile<File>, FileError> {
    let writer = if options.file_is_stdout() {
        let path = "standard output";
        let own = io::stdout().as_fd().try_clone_to_owned();
        let file = own.map_err(|source| FileError::Io { path: path.into(), source })?;
        FileWriter::new(File::from(file), path)
    } else {
        FileWriter::create(path)?
    };
    FlowFile::new(writer, options.templates(), options.export.domain, now())
}
