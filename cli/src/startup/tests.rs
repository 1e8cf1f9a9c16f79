use proptest::prelude::*;

use vnet::plugin::Engine;

use super::*;
use crate::plugins::Assembled;

fn parse(text: &str) -> Result<Startup, String> {
    let source = Text::of_file("s.conf", text);
    Startup::parse(&source, text.as_bytes()).map_err(|error| error.to_string())
}

fn words(words: &[&str]) -> Result<Startup, String> {
    let words: Vec<_> = words.iter().map(OsString::from).collect();
    Startup::from_words(&words).map_err(|error| error.to_string())
}

/// The file that Debian's package of VPP installs, its comments shortened.
const DEBIAN: &str = "
unix {
  nodaemon
  log /var/log/vpp/vpp.log
  full-coredump
  cli-listen /run/vpp/cli.sock
  gid vpp

  ## run vpp in the interactive mode
  # interactive
  # nocolor
}
api-trace { on }
api-segment { gid vpp }
socksvr { default }
cpu {
    # main-core 1
    # corelist-workers 2-3,18-19
}
# plugins { path /ws/vpp/build/lib/vpp_plugins }
statseg { per-node-counters on }
";

#[test]
fn a_startup_file_of_vpp_is_read_and_what_has_no_effect_is_named() {
    let startup = parse(DEBIAN).unwrap();
    let unix = &startup.unix;
    assert!(unix.nodaemon && !unix.interactive && unix.color);
    assert_eq!(unix.log.as_deref(), Some(Path::new("/var/log/vpp/vpp.log")));
    assert_eq!(unix.listen.as_deref(), Some(Path::new("/run/vpp/cli.sock")));
    let expected = [
        "s.conf:5:3: `unix full-coredump' has no effect here",
        "s.conf:7:3: `unix gid' has no effect here",
        "s.conf:14:1: `api-segment' has no effect here",
    ];
    assert_eq!(startup.notes, expected);
}

#[test]
fn plugins_are_told_what_their_stanzas_say() {
    let shown = |startup: &Startup, params: &str| {
        let engine = Assembled::build(Engine::builder(), &startup.plugins).unwrap().engine;
        engine.command(&format!("flowprobe params record l3 {params}")).unwrap();
        let text = engine.command("show flowprobe params").unwrap();
        let json = engine.command("show flowprobe params json").unwrap();
        (text, json.contains(r#""profile":"vpp""#) || json.contains(r#""profile": "vpp""#))
    };
    let plain = " l3 active: 15 passive: 120";
    let told = parse("flowprobe { profile rfc profile vpp }").unwrap();
    assert_eq!(told.notes, [""; 0]);
    assert_eq!(shown(&told, ""), (format!("{plain}\n"), true));
    assert_eq!(shown(&told, "profile rfc"), (format!("{plain} profile: rfc\n"), false));
    let untold = Startup::plain();
    assert_eq!(shown(&untold, ""), (format!("{plain}\n"), false));
    assert_eq!(shown(&untold, "profile vpp"), (format!("{plain} profile: vpp\n"), true));
    assert!(Startup::is_stanza("flowprobe{") && !Startup::is_stanza("flow"));
    assert_eq!(words(&["flowprobe", "{", "profile", "vpp", "}"]).unwrap().plugins, {
        parse("flowprobe { profile vpp }").unwrap().plugins
    });
}

#[test]
fn messages_of_the_binary_api_are_recorded_from_the_start() {
    let status = |text: &str| {
        let startup = parse(text).unwrap();
        assert_eq!(startup.notes, [""; 0]);
        let engine = Assembled::build(Engine::builder(), &startup.plugins).unwrap().engine;
        engine.command("show api trace-status").unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(status("api-trace { }"), "RX Trace disabled");
    assert_eq!(status("api-trace { enable }"), "RX Trace enabled");
    let name = format!("peloton-table-{}", std::process::id());
    let text = format!("api-trace {{ on nitems 7 save-api-table {name} }}");
    assert_eq!(status(&text), "RX Trace enabled");
    let path = Path::new("/tmp").join(&name);
    let table = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    // Behind the number of messages: number 1 and a name of 23 octets, as VPP serializes them.
    assert_eq!(&table[4..29], b"\x03\x2fmemclnt_create_9c5e1c2f");
}

#[test]
fn what_a_plugin_does_not_take_is_an_error_with_its_place() {
    for (text, expected) in [
        (
            "api-trace { off }",
            "s.conf:1:13: unknown word `off' in `api-trace', there are on, enable, nitems, save-api-table",
        ),
        (
            "api-trace { on nitems 0 }",
            "s.conf:1:23: `nitems 0': expected a number from 1 to 16777216",
        ),
        (
            "api-trace { save-api-table ../x }",
            "s.conf:1:28: `save-api-table ../x': expected the name of a file in /tmp",
        ),
        (
            "\nflowprobe { profil vpp }",
            "s.conf:2:13: unknown word `profil' in `flowprobe', there are profile",
        ),
        ("flowprobe { profile cisco }", "s.conf:1:21: `profile cisco': expected rfc or vpp"),
        ("flowprobe { profile }", "s.conf:1:13: `profile' needs rfc or vpp behind it"),
        ("flowprobe", "s.conf:1:1: `flowprobe' needs `{ ... }' behind it"),
    ] {
        assert_eq!(parse(text).unwrap_err(), expected);
    }
    assert!(parse("flowprob { }").unwrap_err().contains(", flowprobe"));
}

#[test]
fn the_stanza_of_a_plugin_that_there_is_not_has_no_effect() {
    let text = "flowprobe { profile vpp } plugins { plugin flowprobe { disable } }";
    assert_eq!(parse(text).unwrap().notes, ["s.conf:1:1: `flowprobe' has no effect here"]);
}

#[test]
fn all_that_has_an_effect_arrives() {
    let startup = parse(
        "unix { interactive cli-prompt router# exec a.cli pidfile p runtime-dir /r nobanner nocolor
           cli-history-limit 5 cli-pager-buffer-limit 7 cli-no-pager }
         cpu { main-core 1 workers 2 skip-cores 3 } buffers { buffers-per-numa 4096 default data-size 2048 }
         plugins { plugin default { disable } plugin pg_plugin.so { enable } }
         logging { size 9 unthrottle-time 4 class ipfix { level debug rate-limit 3 } }
         unix { startup-config b.cli }",
    )
    .unwrap();
    let unix = Unix {
        interactive: true,
        prompt: Some("router# ".into()),
        exec: Some("b.cli".into()),
        pidfile: Some("p".into()),
        runtime_dir: Some("/r".into()),
        history_limit: 5,
        pager_limit: 7,
        pager: false,
        color: false,
        banner: false,
        ..Startup::plain().unix
    };
    assert_eq!(startup.unix, unix);
    let cpu = Cpu { main_core: Some(1), workers: 2, skip_cores: 3, ..Cpu::default() };
    assert_eq!((startup.cpu, startup.buffers), (cpu, Some(4096)));
    let mut plugins = Choice::all();
    plugins.default = false;
    assert_eq!(plugins.choose("pg", true), Ok(true));
    assert_eq!(startup.plugins, plugins);
    let change = |change| ("ipfix".to_owned(), change);
    let logging = Logging {
        size: Some(9),
        unthrottle_time: Some(Duration::from_secs(4)),
        classes: vec![change(ClassChange::Level(Level::Debug)), change(ClassChange::RateLimit(3))],
    };
    assert_eq!(startup.logging, logging);
    assert_eq!(startup.notes, [""; 0]);
}

#[test]
fn errors_name_the_place_the_word_and_what_could_stand_there() {
    let cases = [
        ("unix {\n  nodaemon\n", "s.conf:1:6: unclosed `{'"),
        ("cpu { }\nunix {\n plugins {\n }\n", "s.conf:2:6: unclosed `{'"),
        ("unix { }\n}", "s.conf:2:1: unexpected `}'"),
        ("unix { log \"a\n }", "s.conf:1:12: unclosed `\"'"),
        ("unix", "s.conf:1:1: `unix' needs `{ ... }' behind it"),
        ("unix nodaemon", "s.conf:1:1: `unix' needs `{ ... }' behind it"),
        ("{ }", "s.conf:1:1: `{' where a word was expected"),
        ("unix { { } }", "s.conf:1:8: `{' where a word was expected"),
        ("unix { log }", "s.conf:1:8: `log' needs a path behind it"),
        ("unix { log { } }", "s.conf:1:8: `log' needs a path behind it"),
        (
            "\n unix {\n\tcli-listen localhost:5002 }",
            "s.conf:3:13: `cli-listen localhost:5002': only Unix sockets are listened on, give a path",
        ),
        (
            "buffers { buffers-per-numa 1k }",
            "s.conf:1:28: `buffers-per-numa 1k': expected a number from 256 to 1800000",
        ),
        (
            "buffers { default data-size 4096 }",
            "s.conf:1:29: `data-size 4096': buffers hold 2048 bytes, longer packets take several",
        ),
        ("cpu { workers 129 }", "s.conf:1:15: `workers 129': expected a number from 0 to 128"),
        (
            "cpu { corelist-workers 3-2 }",
            "s.conf:1:24: `corelist-workers 3-2': expected a list of cores",
        ),
        (
            "cpu { cores 2 }",
            "s.conf:1:7: unknown word `cores' in `cpu', there are main-core, workers, corelist-workers, relative, \
             coremask-workers, numa-heap-size, scheduler-policy, scheduler-priority, skip-cores, thread-prefix, \
             translate, use-pthreads",
        ),
        (
            "plugins { plugin pg { on } }",
            "s.conf:1:23: unknown word `on' in `plugin pg', there are enable, disable, skip-version-check",
        ),
        (
            "plugins { plugin flowprob { enable } }",
            "s.conf:1:18: no plugin `flowprob', there are nodes, pg, binary_api, capture, acl, af_packet, af_xdp, flowprobe, ipfix_bridge, ping, stats, tap",
        ),
        (
            "logging { class x { level loud } }",
            "s.conf:1:27: `level loud': expected emerg, alert, crit, err, warn, notice, info, debug or disabled",
        ),
    ];
    for (text, error) in cases {
        assert_eq!(parse(text).unwrap_err(), error, "{text}");
    }
    let error = parse("unix { }\nuinx { }").unwrap_err();
    assert!(
        error.starts_with("s.conf:2:1: unknown stanza `uinx', there are unix, cpu, "),
        "{error}"
    );
    assert!(Startup::parse(&Text::of_file("s", "a\u{fffd}"), b"a\xff").is_err());
}

/// The arguments that VPP's own tests start it with.
const HARNESS: &str = "unix|{|nodaemon|nosyslog||full-coredump|coredump-size unlimited|runtime-dir|/t|cli-listen |/t/cli.sock\
    | |}|api-trace|{|on|}|api-segment|{|prefix|t|}|cpu|{|main-core|0|corelist-workers|1,2|}|memory|{|main-heap-size|2G|}\
    |physmem|{|max-size|32m|}|statseg|{|socket-name|/t/stats.sock||}|socksvr|{|socket-name|/t/api.sock|}\
    |node { |default { variant icl 100 }|}|api-fuzz {|off|}|plugins|{|plugin|dpdk_plugin.so|{|disable|}\
    |plugin|unittest_plugin.so|{|enable|}|plugin default { disable }|plugin flowprobe_plugin.so { enable }\
    |plugin|acl_plugin.so|{|enable|}|}|buffers { buffers-per-numa 8192 layout natural numa 0 { buffers 9000 } }";

#[test]
fn a_word_right_behind_a_value_is_a_word_as_with_vpp() {
    let said = words(&["statseg", "{", "per-node-counters onupdate-interval 0.05", "}"]).unwrap();
    let plain = parse("statseg { per-node-counters on update-interval 0.05 }").unwrap();
    assert_eq!(said.plugins, plain.plugins);
    for text in ["onupdate-intervals 1", "update-interval 1", "onupdate-interval x"] {
        assert!(parse(&format!("statseg {{ per-node-counters {text} }}")).is_err(), "{text}");
    }
}

#[test]
fn the_words_of_vpps_test_harness_start_an_engine_and_each_that_has_no_effect_is_named_once() {
    let args: Vec<_> = HARNESS.split('|').collect();
    let startup = words(&args).unwrap();
    assert_eq!(startup.unix.listen.as_deref(), Some(Path::new("/t/cli.sock")));
    assert_eq!(startup.unix.runtime_dir.as_deref(), Some(Path::new("/t")));
    assert_eq!((startup.cpu.main_core, startup.buffers), (Some(0), Some(8192)));
    assert_eq!(startup.cpu.worker_cores, [1, 2]);
    let mut plugins = Choice::all();
    plugins.default = false;
    for name in ["flowprobe", "acl"] {
        plugins.choose(name, true).unwrap();
    }
    plugins.tell_present("api-trace");
    plugins.tell("api-trace", "on".to_owned(), String::new());
    for (stanza, path) in [("statseg", "/t/stats.sock"), ("socksvr", "/t/api.sock")] {
        plugins.tell_present(stanza);
        plugins.tell(stanza, "socket-name".to_owned(), path.to_owned());
    }
    assert_eq!(startup.plugins, plugins);
    let what = |note: &String| note.split('`').nth(1).unwrap().replace("' has no effect here", "");
    let expected = [
        "unix nosyslog",
        "unix full-coredump",
        "unix coredump-size",
        "api-segment",
        "memory",
        "physmem",
        "node",
        "api-fuzz",
        "plugin dpdk_plugin.so",
        "plugin unittest_plugin.so",
        "buffers layout",
        "buffers numa",
    ];
    assert_eq!(startup.notes.iter().map(what).collect::<Vec<_>>(), expected);
    // However the words are grouped, they say the same.
    let places = |startup: Startup| Startup { notes: Vec::new(), ..startup };
    let joined = words(&[&args.join(" ")]).unwrap();
    assert_eq!(joined.notes.len(), expected.len());
    let file = parse(&args.join("\n")).unwrap();
    assert_eq!(places(file), places(joined));
    assert_eq!(
        places(startup),
        places(words(&args.join(" ").split(' ').collect::<Vec<_>>()).unwrap())
    );
}

#[test]
fn the_command_line_may_be_cut_into_arguments_anywhere() {
    let expected = parse("unix { nodaemon cli-prompt a# }").unwrap();
    assert_eq!(words(&["unix", "{", "nodaemon", "cli-prompt", "a#", "}"]), Ok(expected.clone()));
    assert_eq!(words(&["unix {", "nodaemon cli-prompt", "a# }"]), Ok(expected.clone()));
    assert_eq!(words(&["unix{nodaemon cli-prompt a# }"]), Ok(expected));
    let error = words(&["unix", "{", "log", "/dev/null", "}", "cpu", "{", "core", "1", "}"]);
    assert!(error.unwrap_err().starts_with("command line, word 8: unknown word `core' in `cpu'"));
    assert_eq!(words(&["unix", "{"]).unwrap_err(), "command line, word 2: unclosed `{'");
    assert!(
        Startup::is_stanza("unix") && Startup::is_stanza("cpu{") && !Startup::is_stanza("cpus")
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(unix|cpu|plugins|plugin|log|[a-z \n{}\"#\\\\]){0,40}") {
        let _: Result<Startup, String> = parse(&text);
        let _: Result<Startup, String> = words(&[&text]);
    }
}
