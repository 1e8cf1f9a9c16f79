//! Three network namespaces in a row, `a`, `r` and `b`; `peloton` runs in `r` and routes between the others.

use std::{
    fs,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;

use crate::QUIET;
use crate::program::{Running, Scratch, has, not_run, peloton, run, wait_for};

/// MAC addresses of the router towards `a` and towards `b`.
const ROUTER: [&str; 2] = ["02:fe:00:00:00:0a", "02:fe:00:00:00:0b"];

/// By which interfaces the router uses those of its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `create host-interface`.
    Host,
    /// `create interface af_xdp`.
    Xdp,
}

impl Kind {
    /// The router's interface towards `end`.
    #[must_use]
    pub fn interface(self, end: &str) -> String {
        match self {
            Self::Host => format!("host-r{end}"),
            Self::Xdp => format!("xdp-r{end}"),
        }
    }

    /// The command that makes it.
    #[must_use]
    pub fn create(self, end: &str, options: &str) -> String {
        match self {
            Self::Host => {
                format!("create host-interface name r{end} hw-addr {} {options}", router(end))
            }
            Self::Xdp => {
                format!("create interface af_xdp host-if r{end} name xdp-r{end} {options}")
            }
        }
    }

    /// The command that deletes it.
    #[must_use]
    pub fn delete(self, end: &str) -> String {
        match self {
            Self::Host => format!("delete host-interface name r{end}"),
            Self::Xdp => format!("delete interface af_xdp xdp-r{end}"),
        }
    }
}

/// The router's MAC address towards `end`.
fn router(end: &str) -> &'static str {
    if end == "a" { ROUTER[0] } else { ROUTER[1] }
}

/// The namespaces, gone with this value.
pub struct Net {
    kind: Kind,
    /// Queues of the cables' ends.
    queues: u32,
    prefix: String,
    scratch: Scratch,
    engine: Option<Running>,
}

fn checked(command: &mut Command) -> String {
    let output = run(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

impl Net {
    /// The namespaces, with addresses and neighbours; `None` where they cannot be made. `test` and `programs` say who needs what. The
    /// cables' ends have as many queues as the kernel gives them.
    ///
    /// # Panics
    /// When a program that is there fails.
    #[must_use]
    pub fn new(test: &str, programs: &[&str]) -> Option<Self> {
        Self::of(Kind::Host, 0, test, programs)
    }

    /// As [`Self::new`], for AF_XDP interfaces and with that many queues of the cables' ends.
    ///
    /// # Panics
    /// When a program that is there fails.
    #[must_use]
    pub fn xdp(queues: u32, test: &str, programs: &[&str]) -> Option<Self> {
        let protocols = fs::read_to_string("/proc/net/protocols").unwrap_or_default();
        if !protocols.lines().any(|line| line.starts_with("XDP ")) {
            not_run(test, "the kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)");
            return None;
        }
        Self::of(Kind::Xdp, queues, test, programs)
    }

    fn of(kind: Kind, queues: u32, test: &str, programs: &[&str]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !has(test, &["ip", "ping"]) || !has(test, programs) {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("plt{}-{number}", std::process::id());
        let probe = format!("{prefix}r");
        if !run(Command::new("ip").args(["netns", "add", &probe])).status.success() {
            not_run(test, "network namespaces cannot be made (root is needed)");
            return None;
        }
        let scratch = Scratch::new(&prefix);
        let net = Self { kind, queues, scratch, prefix, engine: None };
        // What the interfaces send is what the router sends.
        net.text(
            "r",
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
        );
        for end in ["a", "b"] {
            net.ip(&format!("netns add {}", net.name(end)));
            // No packets that nobody asked for: neither link-local addresses nor looking for routers.
            let quiet = "addr_gen_mode=1 net.ipv6.conf.default.router_solicitations=0";
            net.text(end, &format!("sysctl -qw net.ipv6.conf.default.{quiet}"));
            net.connect(end);
            net.ip_in(end, "link set lo up");
            net.configure(end);
        }
        Some(net)
    }

    /// Addresses, routes and neighbours of an end.
    fn configure(&self, end: &str) {
        let i = usize::from(end == "b");
        let (n, mac) = (i + 1, ROUTER[i]);
        for line in [
            format!("addr add 10.{n}.0.2/24 dev eth0"),
            format!("addr add 2001:db8:{n}::2/64 dev eth0 nodad"),
            "link set eth0 up".to_owned(),
            format!("route add default via 10.{n}.0.1"),
            format!("-6 route add default via 2001:db8:{n}::1"),
            format!("neigh replace 10.{n}.0.1 lladdr {mac} dev eth0 nud permanent"),
            format!("neigh replace 2001:db8:{n}::1 lladdr {mac} dev eth0 nud permanent"),
        ] {
            self.ip_in(end, &line);
        }
    }

    /// A namespace's name.
    pub fn name(&self, namespace: &str) -> String {
        format!("{}{namespace}", self.prefix)
    }

    /// A path in a folder of the test's own.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.scratch.path(name)
    }

    /// `eth0` of `end` and the router's end of the cable, `r` and its name.
    pub fn connect(&self, end: &str) {
        let (router, there) = (self.name("r"), self.name(end));
        let queues = match self.queues {
            0 => String::new(),
            n => format!("numtxqueues {n} numrxqueues {n}"),
        };
        // AF_XDP interfaces have the address of the host's.
        let address = match self.kind {
            Kind::Host => String::new(),
            Kind::Xdp => format!("address {}", crate::net::router(end)),
        };
        self.ip(&format!(
            "link add r{end} netns {router} {address} {queues} type veth \
             peer name eth0 netns {there} {queues}"
        ));
    }

    fn ip(&self, line: &str) {
        checked(Command::new("ip").args(line.split_whitespace()));
    }

    /// `ip` in a namespace.
    pub fn ip_in(&self, namespace: &str, line: &str) -> String {
        let mut command = Command::new("ip");
        checked(command.args(["-n", &self.name(namespace)]).args(line.split_whitespace()))
    }

    /// A program in a namespace, to be started. A no-break space is a space inside of a word.
    pub fn command(&self, namespace: &str, line: &str) -> Command {
        let mut command = Command::new("ip");
        let words = line.split_ascii_whitespace().map(|word| word.replace('\u{a0}', " "));
        command.args(["netns", "exec", &self.name(namespace)]).args(words);
        command
    }

    /// A program in a namespace, run to its end.
    pub fn run(&self, namespace: &str, line: &str) -> Output {
        run(&mut self.command(namespace, line))
    }

    /// What a program in a namespace says, which must succeed.
    pub fn text(&self, namespace: &str, line: &str) -> String {
        checked(&mut self.command(namespace, line))
    }

    fn mac(&self, namespace: &str) -> String {
        self.text(namespace, "cat /sys/class/net/eth0/address").trim().to_owned()
    }

    /// Starts the router with `options` of both interfaces, and `conf` in its startup file.
    pub fn start(&mut self, options: &str, conf: &str) {
        self.start_with(options, options, conf);
    }

    /// Starts the router with options of each interface.
    pub fn start_with(&mut self, a: &str, b: &str, conf: &str) {
        self.write(a, b, conf, "");
        self.launch();
    }

    /// Writes the router's startup file, and its script with the commands `more` in front.
    pub fn write(&self, a: &str, b: &str, conf: &str, more: &str) {
        let mut script = format!("{QUIET}{more}");
        for (end, options) in [("a", a), ("b", b)] {
            script += &format!("{}\n", self.kind.create(end, options));
            script += &self.addresses(end);
        }
        let (file, startup) = (self.path("script"), self.path("startup.conf"));
        fs::write(&file, script).unwrap();
        let socket = self.path("cli.sock");
        let (file, socket) = (file.display(), socket.display());
        let unix = format!("nodaemon exec {file} cli-listen {socket} pidfile {socket}.pid");
        fs::write(&startup, format!("unix {{ {unix} }}\n{conf}\n")).unwrap();
    }

    /// Commands that give a host interface its addresses and its neighbours.
    fn addresses(&self, end: &str) -> String {
        let (n, mac) = (if end == "a" { 1 } else { 2 }, self.mac(end));
        let name = self.kind.interface(end);
        format!(
            "set interface state {name} up\n\
             set interface ip address {name} 10.{n}.0.1/24\n\
             set interface ip address {name} 2001:db8:{n}::1/64\n\
             set ip neighbor {name} 10.{n}.0.2 {mac}\n\
             set ip neighbor {name} 2001:db8:{n}::2 {mac}\n"
        )
    }

    /// Starts the router as [written](Self::write), and waits until it forwards. One that runs is killed before.
    pub fn launch(&mut self) {
        self.launch_by("");
    }

    /// As [`Self::launch`], by a program that starts another one.
    pub fn launch_by(&mut self, starter: &str) {
        self.engine = None;
        let program = peloton().get_program().to_owned();
        let mut command = self.command("r", starter);
        command.arg(program).arg("-c").arg(self.path("startup.conf"));
        self.engine = Some(Running::start(&mut command));
        wait_for("the script", || {
            // Its last line.
            let shown = self.try_ctl("show ip6 neighbors");
            shown.is_some_and(|text| text.contains("2001:db8:2::2"))
        });
        wait_for("the links", || self.is_up("a") && self.is_up("b"));
    }

    /// Whether the link of the router's interface towards `end` is up.
    pub fn is_up(&self, end: &str) -> bool {
        self.link(&self.kind.interface(end))
    }

    /// Kills the router: SIGKILL, so that it cannot clean up.
    pub fn kill(&mut self) {
        self.engine = None;
    }

    /// Connects an end whose cable is gone, and gives the router a new interface on it.
    pub fn reconnect(&self, end: &str) {
        self.connect(end);
        self.configure(end);
        self.ctl(&self.kind.delete(end));
        self.ctl(&self.kind.create(end, ""));
        self.addresses(end).lines().for_each(|line| {
            self.ctl(line);
        });
        wait_for("the new link", || self.is_up(end));
    }

    /// Deletes a namespace; what is in it goes, unless a process is there.
    pub fn delete_namespace(&self, namespace: &str) {
        self.ip(&format!("netns del {}", self.name(namespace)));
    }

    /// The router's process.
    pub fn pid(&mut self) -> u32 {
        // `ip netns exec` becomes the program.
        self.engine.as_mut().expect("it was started").child().id()
    }

    /// Sends the router's process a signal.
    pub fn signal(&self, name: &str) {
        self.engine.as_ref().expect("it was started").signal(name);
    }

    /// What a command of the router prints; `None` when it fails.
    pub fn try_ctl(&self, line: &str) -> Option<String> {
        let mut command = peloton();
        command.arg("ctl").arg("-s").arg(self.path("cli.sock")).arg(line);
        let output = run(&mut command);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What a command of the router prints, which must succeed.
    pub fn ctl(&self, line: &str) -> String {
        self.try_ctl(line).unwrap_or_else(|| panic!("{line} failed"))
    }

    /// What a command of the router says that must fail.
    pub fn refused(&self, line: &str) -> String {
        let mut command = peloton();
        command.arg("ctl").arg("-s").arg(self.path("cli.sock")).arg(line);
        let output = run(&mut command);
        assert!(!output.status.success(), "{line} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A counter of an interface, 0 where it is not shown.
    pub fn counter(&self, interface: &str, name: &str) -> u64 {
        let line = format!("show interface {interface} json");
        let shown: Value = serde_json::from_str(&self.ctl(&line)).unwrap();
        shown["interfaces"][0]["counters"][name].as_u64().unwrap_or(0)
    }

    /// Those of the router's two interfaces, as `show interface json` has them.
    pub fn counters(&self) -> Value {
        let [a, b] = ["a", "b"].map(|end| self.kind.interface(end));
        serde_json::from_str(&self.ctl(&format!("show interface {a} {b} json"))).unwrap()
    }

    /// On the two interfaces together: packets that came are those that left and those that were dropped, and none was lost on the
    /// way in or out, but for what is `allowed`.
    pub fn adds_up_but_for(&self, allowed: &[&str]) {
        // All at once: packets of the hosts' own come at any time.
        let shown = self.counters();
        let sum = |name: &str| -> u64 {
            let of = |interface: &Value| interface["counters"][name].as_u64().unwrap_or(0);
            shown["interfaces"].as_array().unwrap().iter().map(of).sum()
        };
        for lost in ["rx-miss", "rx-no-buf", "rx-error", "tx-error"] {
            let is_allowed = allowed.contains(&lost);
            assert!(is_allowed || sum(lost) == 0, "{lost}: {}", self.ctl("show interface"));
        }
        // What the router has to say to neighbours itself.
        let errors: Value = serde_json::from_str(&self.ctl("show errors json")).unwrap();
        let is_own = |row: &&Value| {
            let reason = row["reason"].as_str().unwrap_or_default();
            ["requests sent", "packets to neighbours"].contains(&reason)
        };
        let rows = errors.as_array().unwrap().iter().filter(is_own);
        let own: u64 = rows.filter_map(|row| row["count"].as_u64()).sum();
        assert_eq!(
            sum("rx packets") + own,
            sum("tx packets") + sum("drops") + sum("punt"),
            "{shown}{errors}"
        );
    }

    /// As [`Self::adds_up_but_for`], where nothing may be lost.
    pub fn adds_up(&self) {
        self.adds_up_but_for(&[]);
    }

    /// What the kernel has counted at `end`.
    pub fn kernel_counter(&self, end: &str, device: &str, name: &str) -> u64 {
        let text = self.text(end, &format!("cat /sys/class/net/{device}/statistics/{name}"));
        text.trim().parse().unwrap()
    }

    /// Whether `show hardware-interfaces` says `text` of an interface.
    pub fn shows(&self, interface: &str, text: &str) -> bool {
        self.ctl(&format!("show hardware-interfaces {interface}")).contains(text)
    }

    /// Whether the link of an interface is up.
    pub fn link(&self, interface: &str) -> bool {
        let shown = self.ctl(&format!("show hardware-interfaces {interface}"));
        let line = shown.lines().find(|line| line.starts_with(interface)).unwrap_or_default();
        line.split_whitespace().nth(2) == Some("up")
    }

    /// Seconds of processor time that the router has used.
    pub fn used(&mut self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // utime and stime, in hundredths of a second.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    /// Packets that a node has seen on all threads, large ones as one.
    pub fn vectors(&self, node: &str) -> u64 {
        let runtime = self.ctl("show runtime");
        let lines = runtime.lines().filter(|line| line.trim_start().starts_with(node));
        let words = lines.map(|line| line.split_whitespace().rev().nth(3).map(str::to_owned));
        words.flatten().filter_map(|word| word.parse::<u64>().ok()).sum()
    }

    /// Pings from `a` to `b`; how many answers of `count` there were.
    pub fn ping(&self, options: &str, count: u32) -> u32 {
        // With a deadline it waits for all answers; without, for twice the longest time that one took, which is none where packets
        // have no room for a time.
        let line = format!("ping -q -c {count} -w 60 {options}");
        let output = self.run("a", &line);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<_> = text.split_whitespace().collect();
        let at = words.iter().position(|word| word.starts_with("received"));
        let answers: Option<u32> = at.and_then(|at| words[at - 1].parse().ok());
        // It asks once more where answers are late.
        answers.unwrap_or_else(|| panic!("{line}: {text}")).min(count)
    }

    /// Runs iperf3 from `a` to `b` for a second; what the client measured.
    pub fn iperf3(&self, options: &str) -> Value {
        let mut server = Running::start(&mut self.command("b", "iperf3 -s -1 --forceflush"));
        wait_for("iperf3", || {
            self.text("b", "cat /proc/net/tcp6 /proc/net/tcp").contains(":1451 ")
        });
        let text = self.text("a", &format!("iperf3 -J -t 1 {options}"));
        let _: std::io::Result<()> = server.child().kill();
        serde_json::from_str(&text).unwrap()
    }

    /// Waits for `duration` of real time, where nothing that can be asked for tells that something did not happen.
    pub fn pass(duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.engine = None;
        for namespace in ["a", "b", "r"] {
            let name = self.name(namespace);
            let _: Output = run(Command::new("ip").args(["netns", "del", &name]));
        }
    }
}
