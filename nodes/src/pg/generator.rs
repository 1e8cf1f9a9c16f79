//! The packet generator as commands and callers see it: its streams and its interfaces.

use std::{
    cell::RefCell,
    error::Error,
    io,
    path::Path,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
};

use vnet::{
    graph::{InputMode, NodeIndex, NodeKind, NodeSpec},
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::{EngineTime, Main, Shared},
    wire::link::LinkType,
};

use crate::capture::{Writer, WriterOptions};

use super::{
    Data, Layer, Mode, NewInterface, Offload, PgError, Sent, SpecError, StreamSpec,
    coalesce::Coalescing,
    input::{Finished, Input, Table},
    interfaces::offload_of,
    port::{Output, Port},
    program::Program,
    show::StreamRow,
    stream::{Label, Progress, Running, Source, StreamId},
};

/// The input node.
const INPUT: &str = "pg-input";

/// The packet generator. Clones are the same generator; it belongs to the main thread.
#[derive(Clone)]
pub struct Generator {
    pub(super) state: Rc<RefCell<State>>,
    table: Shared<Table>,
    pub(super) coalescing: Coalescing,
}

#[derive(Default)]
pub(super) struct State {
    streams: Vec<Stream>,
    pub(super) ports: Vec<Port>,
    next_id: u32,
    next_epoch: u64,
}

struct Stream {
    id: StreamId,
    name: String,
    spec: StreamSpec,
    source: Source,
    program: Arc<Program>,
    target: Target,
    enabled: bool,
    started: EngineTime,
    epoch: u64,
    progress: Arc<Progress>,
}

/// Where the packets of a stream come from and go to.
struct Target {
    port: SwIfIndex,
    rx: SwIfIndex,
    tx: SwIfIndex,
    node: NodeIndex,
    node_name: String,
}

impl Generator {
    /// Registers the node `pg-input` and what it needs.
    pub fn register(r: &mut Registrar) -> Self {
        let table = r.shared(Table::default());
        let finished = Arc::new(Finished::default());
        let coalescing = Coalescing::register(r);
        let generator = Self { state: Rc::default(), table: table.clone(), coalescing };
        let announce = finished.clone();
        let make =
            move |at: &vnet::graph::Instance<'_>| Input::new(at, table.clone(), announce.clone());
        r.node(NodeSpec::input(INPUT, make).mode(InputMode::Disabled));
        let owner = generator.clone();
        let writer = generator.clone();
        r.on_stop(move |_| writer.finish_captures());
        let follower = generator.clone();
        r.on_interface_event(move |main, event| follower.follow(main, event));
        let last = generator.clone();
        r.on_drain(move |main| last.end_coalescing(main));
        // Streams end on the thread that runs them; that nothing is left to poll for is the main thread's to see.
        r.process("pg-process", |cx| async move {
            loop {
                finished.wait().await;
                cx.with(|main| owner.settle(main));
            }
        });
        generator
    }

    /// Defines a stream, which is not enabled yet; one of the same name is deleted. Makes the interface that it belongs to,
    /// where there is none. Returns the stream's name.
    ///
    /// # Errors
    /// When the definition contradicts itself or names what does not exist.
    pub fn new_stream(&self, main: &mut Main, spec: StreamSpec) -> Result<String, PgError> {
        let program = Arc::new(Program::compile(&spec)?);
        let target = self.resolve(main, &spec)?;
        if let Some(name) = &spec.name
            && self.find(name).is_some()
        {
            self.delete(main, name)?;
        }
        let mut state = self.state.borrow_mut();
        let id = StreamId(state.next_id);
        state.next_id += 1;
        let name = spec.name.clone().unwrap_or_else(|| format!("stream{}", id.0));
        state.streams.push(Stream {
            id,
            name: name.clone(),
            source: source(&spec, &program),
            spec,
            program,
            target,
            enabled: false,
            started: EngineTime(0),
            epoch: 0,
            progress: Arc::default(),
        });
        Ok(name)
    }

    /// Starts the stream `name`, or all; returns how many were not running. Each starts from its beginning.
    ///
    /// # Errors
    /// When there is none of that name, or none at all.
    pub fn enable(&self, main: &mut Main, name: Option<&str>) -> Result<usize, PgError> {
        self.settle(main);
        let now = main.clock().now();
        let mut idle = self.chosen(name)?;
        idle.retain(|&i| !self.state.borrow().streams[i].enabled);
        for &i in &idle {
            // As in VPP: a stream that is to run sets its interface up.
            let port = self.state.borrow().streams[i].target.port;
            main.change_interfaces(|table| table.set_admin(port, true))?;
        }
        let mut state = self.state.borrow_mut();
        for &i in &idle {
            state.next_epoch += 1;
            let epoch = state.next_epoch;
            let stream = &mut state.streams[i];
            (stream.enabled, stream.started, stream.epoch) = (true, now, epoch);
            stream.progress = Arc::default();
        }
        drop(state);
        self.publish(main);
        Ok(idle.len())
    }

    /// Stops the stream `name`, or all; returns how many were running.
    ///
    /// # Errors
    /// When there is none of that name, or none at all.
    pub fn disable(&self, main: &mut Main, name: Option<&str>) -> Result<usize, PgError> {
        self.settle(main);
        let mut stopped = 0;
        for i in self.chosen(name)? {
            let stream = &mut self.state.borrow_mut().streams[i];
            stopped += usize::from(stream.enabled);
            stream.enabled = false;
        }
        self.publish(main);
        Ok(stopped)
    }

    /// Deletes the stream `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete(&self, main: &mut Main, name: &str) -> Result<(), PgError> {
        let i = self.find(name).ok_or_else(|| PgError::UnknownStream(name.to_owned()))?;
        self.state.borrow_mut().streams.remove(i);
        self.publish(main);
        Ok(())
    }

    /// Deletes the streams whose packets come from this interface, or go there.
    pub(super) fn delete_streams_of(&self, main: &mut Main, interface: SwIfIndex) {
        let is_of = |Target { port, rx, tx, .. }: &Target| [*port, *rx, *tx].contains(&interface);
        self.state.borrow_mut().streams.retain(|stream| !is_of(&stream.target));
        self.publish(main);
    }

    /// Changes limit, rate, size or buffer size of the stream `name`. One that runs goes on counting, its rate counts from
    /// now and its varying fields start again.
    ///
    /// # Errors
    /// When there is no such stream, or it cannot be like that; nothing changes then.
    pub fn configure(
        &self,
        main: &mut Main,
        name: &str,
        change: impl FnOnce(&mut StreamSpec) -> Result<(), SpecError>,
    ) -> Result<(), PgError> {
        self.settle(main);
        let i = self.find(name).ok_or_else(|| PgError::UnknownStream(name.to_owned()))?;
        {
            let mut state = self.state.borrow_mut();
            let epoch = state.next_epoch + 1;
            let stream = &mut state.streams[i];
            let mut spec = stream.spec.clone();
            change(&mut spec)?;
            let program = Arc::new(Program::compile(&spec)?);
            stream.source = source(&spec, &program);
            (stream.program, stream.spec) = (program, spec);
            (stream.started, stream.epoch) = (main.clock().now(), epoch);
            state.next_epoch = epoch;
        }
        self.publish(main);
        Ok(())
    }

    /// Starts to capture what leaves by the interface `name` into `file`, where nothing may be yet: `count` packets, or all.
    /// The file is made with the first packet, and after each frame it holds all packets so far; no link is followed.
    /// A capture that is on already is ended first.
    ///
    /// # Errors
    /// When the interface is none of ours, the file exists or cannot be made, or the capture before could not be written.
    pub fn capture(&self, name: &str, file: &Path, count: Option<u64>) -> Result<(), PgError> {
        let shown = || file.display().to_string();
        match file.symlink_metadata() {
            Ok(_) => return Err(PgError::FileExists(shown())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(PgError::CannotOpen { file: shown(), source: error });
            }
            Err(_) => {}
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let is_there = folder.unwrap_or(Path::new(".")).metadata();
        is_there.map_err(|source| PgError::CannotOpen { file: shown(), source })?;
        self.start_capture(name, count, |options| Output::File(file.to_owned(), options))
    }

    /// As [`Self::capture`], into `output`.
    ///
    /// # Errors
    /// When the interface is none of ours, or the capture before could not be written.
    pub fn capture_to(
        &self,
        name: &str,
        output: impl io::Write + Send + 'static,
        count: Option<u64>,
    ) -> Result<(), PgError> {
        let open = |options| Output::Open(Writer::to_stream(name, output, options));
        self.start_capture(name, count, open)
    }

    fn start_capture(
        &self,
        name: &str,
        count: Option<u64>,
        output: impl FnOnce(WriterOptions) -> Output,
    ) -> Result<(), PgError> {
        self.port(name, |port| port.tx.start_capture(port.mode, count, output))??;
        Ok(())
    }

    /// Ends the capture of the interface `name`; returns how many packets it holds.
    ///
    /// # Errors
    /// When there is none, or it could not be written.
    pub fn stop_capture(&self, name: &str) -> Result<u64, PgError> {
        let ended = self.port(name, |port| port.tx.stop_capture())?;
        Ok(ended.ok_or_else(|| PgError::NotCaptured(name.to_owned()))??)
    }

    /// Ends all captures.
    fn finish_captures(&self) -> Result<(), Box<dyn Error>> {
        let state = self.state.borrow();
        let ended = state.ports.iter().filter_map(|port| port.tx.stop_capture());
        // Each is ended, also behind one that went wrong.
        let ended: Vec<_> = ended.collect();
        for written in ended {
            written?;
        }
        Ok(())
    }

    /// Hands what was captured at the interface `name` so far to the system.
    ///
    /// # Errors
    /// When nothing is captured there, or it cannot be written.
    pub fn flush_capture(&self, name: &str) -> Result<(), PgError> {
        let flushed = self.port(name, |port| port.tx.flush_capture())?;
        Ok(flushed.ok_or_else(|| PgError::NotCaptured(name.to_owned()))??)
    }

    /// What left by the interface `name`.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn sent(&self, name: &str) -> Result<Sent, PgError> {
        self.port(name, |port| port.tx.sent())
    }

    /// The streams, as `show packet-generator` lists them.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamRow> {
        let state = self.state.borrow();
        let row = |s: &Stream| StreamRow {
            name: s.name.clone(),
            enabled: s.enabled && !s.progress.done.load(Ordering::Relaxed),
            count: s.progress.made.load(Ordering::Relaxed),
            limit: s.spec.effective_limit(),
            rate: s.spec.rate,
            size: s.program.size(),
            buffer_size: s.spec.buffer_size,
            worker: s.spec.worker,
            groups: s.program.groups.clone(),
        };
        state.streams.iter().map(row).collect()
    }

    /// Takes note of streams that have made all their packets. `pg-process` does it as soon as one has.
    fn settle(&self, main: &mut Main) {
        let mut any = false;
        for stream in &mut self.state.borrow_mut().streams {
            let done = stream.enabled && stream.progress.done.load(Ordering::Relaxed);
            stream.enabled &= !done;
            any |= done;
        }
        if any {
            self.publish(main);
        }
    }

    /// Tells the node which streams run, and lets it poll only where there are any.
    fn publish(&self, main: &mut Main) {
        let Some(input) = main.graph().find(INPUT) else { return };
        let state = self.state.borrow();
        let mut running = Vec::new();
        for stream in state.streams.iter().filter(|s| s.enabled) {
            let next = main.add_next(input, stream.target.node);
            running.push(Running {
                label: Label {
                    id: stream.id,
                    name: stream.name.clone(),
                    next_node: stream.target.node_name.clone(),
                },
                epoch: stream.epoch,
                thread: main.thread_of_worker(stream.spec.worker),
                source: stream.source.clone(),
                limit: stream.spec.effective_limit(),
                rate: stream.spec.rate,
                started: stream.started,
                max_frame: stream.spec.max_frame,
                rx: stream.target.rx,
                tx: stream.target.tx,
                next,
                flags: stream.spec.buffer_flags,
                offload: offload_of(&state.ports, stream.target.rx),
                link: link_of(&stream.spec),
                progress: stream.progress.clone(),
            });
        }
        let mode = |thread| match running.iter().any(|stream| stream.thread == thread) {
            true => InputMode::Polling,
            false => InputMode::Disabled,
        };
        (0..main.threads()).for_each(|thread| main.set_input_mode_on(thread, input, mode(thread)));
        let table = self.table.write(main.held_mut());
        table.version += 1;
        table.streams = running;
    }

    fn resolve(&self, main: &mut Main, spec: &StreamSpec) -> Result<Target, PgError> {
        let unknown = |word: &str, name: &str| SpecError::UnknownInput(format!("{word} {name}"));
        let find = |word: &str, name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => main.interfaces().find(name).map(Some).map_err(|_| unknown(word, name)),
        };
        let rx = find("interface", &spec.interface)?;
        let mut tx = find("tx-interface", &spec.tx_interface)?;
        let existing = self.port(&format!("pg{}", spec.source), |p| (p.sw_if_index, p.mode)).ok();
        let mode = existing.map_or(Mode::Ethernet, |(_, mode)| mode);
        let name = spec.node.as_deref().unwrap_or_else(|| mode.input_node());
        let by_interface = main.interfaces().find(name).ok();
        let output = by_interface.and_then(|_| main.graph().find("interface-output"));
        let node = match output {
            Some(node) => {
                tx = tx.or(by_interface);
                node
            }
            None => main
                .graph()
                .find(name)
                .filter(|&n| main.graph().node(n).kind == NodeKind::Internal)
                .ok_or_else(|| unknown("node", name))?,
        };
        let port = match existing {
            Some((port, _)) => port,
            None => {
                let new =
                    NewInterface { number: spec.source, mac: None, mode, offload: Offload::None };
                self.create_interface(main, new)?
            }
        };
        let node_name = main.graph().node(node).name.clone();
        let (rx, tx) = (rx.unwrap_or(port), tx.unwrap_or(SwIfIndex::NONE));
        Ok(Target { port, rx, tx, node, node_name })
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.state.borrow().streams.iter().position(|s| s.name == name)
    }

    /// Positions of the stream `name`, or of all.
    fn chosen(&self, name: Option<&str>) -> Result<Vec<usize>, PgError> {
        let all = self.state.borrow().streams.len();
        match name {
            Some(name) => match self.find(name) {
                Some(i) => Ok(vec![i]),
                None => Err(PgError::UnknownStream(name.to_owned())),
            },
            None if all == 0 => Err(PgError::NoStreams),
            None => Ok((0..all).collect()),
        }
    }
}

fn source(spec: &StreamSpec, program: &Arc<Program>) -> Source {
    match &spec.data {
        Data::Packet(_) => Source::Program(program.clone()),
        Data::Replay(replay) => Source::Replay(replay.clone()),
    }
}

/// What generated packets begin with.
fn link_of(spec: &StreamSpec) -> LinkType {
    let Data::Packet(packet) = &spec.data else { return LinkType::Ethernet };
    let by_node = spec.node.as_deref().unwrap_or_default();
    match packet.layers.first() {
        Some(Layer::Ip4(_) | Layer::Ip6(_)) => LinkType::Raw,
        Some(_) => LinkType::Ethernet,
        None if by_node.starts_with("ip4-") || by_node.starts_with("ip6-") => LinkType::Raw,
        None => LinkType::Ethernet,
    }
}
