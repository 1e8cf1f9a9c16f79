//! `worker-handoff`: spreads the packets of an interface over workers by their flow, where the interface has fewer receive
//! queues than there are workers. Both directions of a flow go to the same worker.

mod hash;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use vnet::{
    buffer::Buffer,
    command::{
        ApiError, Error as CommandError, choice, keyword, one_of, positional,
        value::{self, Value},
    },
    error::NoError,
    frame::Frame,
    graph::{
        FeatureError, FeatureSpec, Map, NoNext, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict,
    },
    interface::{Event, SwIfIndex},
    plugin::{Command, CommandCx, Registrar},
    runtime::{Handoff, Main, Shared, thread_name},
    trace::NoTrace,
};

/// Name of the node and of the feature.
const FEATURE: &str = "worker-handoff";
/// Where packets go on at the other thread.
const ARRIVAL: &str = "worker-handoff-arrival";
/// The arc.
const ARC: &str = "device-input";

vnet::node_errors! {
    /// Packets that do not reach their worker.
    enum Error named by text {
        Congested => ("congestion-drop", "congestion drop", Error),
    }
}

vnet::trace_record! {
    /// The hash by which the packet's thread was chosen.
    struct Trace { hash: u32 } => "hash 0x{hash:08x}"
}

/// Which threads share the packets of an interface, and by which hash.
#[derive(Clone, Debug, Default)]
struct Assignment {
    threads: Vec<u16>,
    symmetrical: bool,
}

/// By interface; what features were enabled with are places here.
type Assignments = Vec<Assignment>;

/// What is assigned to whom, and the operations that change it.
#[derive(Clone)]
struct Assigner {
    shared: Shared<Assignments>,
    places: Rc<RefCell<BTreeMap<SwIfIndex, u32>>>,
}

pub(crate) fn register(r: &mut Registrar) {
    let shared = r.shared(Assignments::new());
    let assigner = Assigner { shared: shared.clone(), places: Rc::default() };
    let way = r.handoff(ARRIVAL);
    r.node(NodeSpec::internal(FEATURE, move |_| WorkerHandoff {
        assignments: shared.clone(),
        way,
    }));
    r.node(NodeSpec::map(ARRIVAL, |_| Arrival));
    r.feature(FeatureSpec::new(ARC, FEATURE).before("ethernet-input"));
    let follower = assigner.clone();
    r.on_interface_event(move |_, event| {
        if let Event::Deleted { sw_if_index, .. } = event {
            follower.places.borrow_mut().remove(sw_if_index);
        }
    });
    r.command(
        Command::sync(
            "set interface handoff",
            "Spread the received packets of an interface over workers.",
            move |cx: CommandCx, args: Args| cx.with(|main| assigner.set(main, args)),
        )
        .details(
            "Packets of a flow go to the same worker of the list, such as 0-1,3: with `symmetrical', which is what is \
             meant when nothing is said, those of both directions do.",
        ),
    );
}

vnet::args! {
    struct Args {
        interface: SwIfIndex = positional(value::interface()),
        workers: Option<Vec<usize>> = one_of([
            choice([("disable", None)]),
            keyword("workers", worker_list()).map(Some),
        ]),
        symmetrical: Option<bool> =
            choice([("symmetrical", true), ("asymmetrical", false)]).optional(),
    }
}

fn worker_list() -> Value<Vec<usize>> {
    Value::simple("list", "a list of workers, such as 0-1,3", |text| value::number_list(text, 127))
}

impl Assigner {
    fn set(&self, main: &mut Main, args: Args) -> Result<(), CommandError> {
        let Args { interface, workers, symmetrical } = args;
        let had = self.places.borrow().contains_key(&interface);
        let Some(workers) = workers else {
            if !had {
                let text = "packets of this interface are not handed over";
                return Err(CommandError::failed(ApiError::NoSuchEntry, text));
            }
            return Ok(self.switch(main, interface, false)?);
        };
        let threads: Vec<_> = workers.iter().map(|worker| worker + 1).collect();
        if let Some(none) = threads.iter().find(|&&thread| thread >= main.threads()) {
            let name = thread_name(*none);
            let text = format_args!("there is no {name}: `show threads' lists the threads");
            return Err(CommandError::failed(ApiError::InvalidValue, text));
        }
        let assignment = Assignment {
            threads: threads.into_iter().filter_map(|thread| u16::try_from(thread).ok()).collect(),
            symmetrical: symmetrical.unwrap_or(true),
        };
        self.assign(main, interface, assignment);
        if !had {
            self.switch(main, interface, true)?;
        }
        Ok(())
    }

    /// Gives the interface a place, if it has none, and puts `assignment` there.
    fn assign(&self, main: &mut Main, interface: SwIfIndex, assignment: Assignment) {
        let mut places = self.places.borrow_mut();
        let free = (0..).find(|place| places.values().all(|used| used != place)).unwrap_or(0);
        let place = *places.entry(interface).or_insert(free) as usize;
        let all = self.shared.write(main.held_mut());
        if all.len() <= place {
            all.resize(place + 1, Assignment::default());
        }
        if let Some(at) = all.get_mut(place) {
            *at = assignment;
        }
    }

    fn switch(&self, main: &mut Main, interface: SwIfIndex, on: bool) -> Result<(), FeatureError> {
        if on {
            let place = self.places.borrow().get(&interface).copied().unwrap_or(0);
            main.enable_feature(ARC, FEATURE, interface, place)
        } else {
            self.places.borrow_mut().remove(&interface);
            main.disable_feature(ARC, FEATURE, interface)
        }
    }
}

/// The node that hands over.
struct WorkerHandoff {
    assignments: Shared<Assignments>,
    way: Handoff,
}

impl Node for WorkerHandoff {
    type Error = Error;
    type Next = NoNext;
    type Trace = Trace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let assignments = self.assignments.read(cx.token());
        let own = cx.thread() as u16;
        for i in 0..frame.len() {
            let mut buffers = cx.buffers(frame);
            let Some(buffer) = buffers.get(i) else { break };
            let place = cx.feature_config(buffer) as usize;
            let thread = assignments.get(place).map_or(own, |assignment| {
                buffer.flow_hash = hash::of(buffer.current(), assignment.symmetrical);
                let n = assignment.threads.len() as u64;
                // The high half of a product spreads evenly, whatever the number of threads is.
                let at = ((u64::from(buffer.flow_hash) * n) >> 32) as usize;
                assignment.threads.get(at).copied().unwrap_or(own)
            });
            cx.set_thread(i, thread);
        }
        cx.hand_off(self.way, Error::Congested)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { hash: buffer.flow_hash }
    }
}

/// The node at which handed-over packets go on along the arc.
struct Arrival;

impl Map for Arrival {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, NoNext, NoError>, buffer: &mut Buffer) -> Slot<NoNext> {
        cx.next_feature(buffer)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
