//! A certificate authority, and OpenSSL's server as a collector.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use crate::program::{Scratch, wait_for};

/// OpenSSL's server, which writes what it gets to the file `got` of its folder, and ends with this value.
pub struct Server {
    program: Child,
    /// Where it listens.
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _: std::io::Result<()> = self.program.kill();
        let _: std::io::Result<_> = self.program.wait();
    }
}

/// Makes `ca.pem`, a stranger's `other.pem`, and `server` and `client` (`.pem`, `.key`), for which the first vouches under the names
/// `collector.example` and 127.0.0.1.
///
/// # Panics
/// When OpenSSL fails.
pub fn certificates(folder: &Scratch) {
    let openssl = |words: &str| {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(folder.path(""));
        let output = command.output().expect("openssl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -subj /CN=authority -keyout ca.key -out ca.pem -days 2"));
    openssl(&format!(
        "req -x509 {key} -subj /CN=stranger -keyout other.key -out other.pem -days 2"
    ));
    let names = "subjectAltName=DNS:collector.example,IP:127.0.0.1";
    fs::write(folder.path("ext"), names).expect("the folder is there");
    for name in ["server", "client"] {
        openssl(&format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile ext -out {name}.pem"
        ));
    }
}

/// Starts the server, which turns clients without a certificate of the authority away, on a free port.
///
/// # Panics
/// When it does not come to listen.
#[must_use]
pub fn serve(folder: &Scratch) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let mut command = Command::new("openssl");
    command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
    command.args(["-cert", "server.pem", "-key", "server.key", "-CAfile", "ca.pem"]);
    command.args(["-Verify", "1", "-verify_return_error"]);
    command.current_dir(folder.path("")).stdin(Stdio::piped());
    let got = fs::File::create(folder.path("got")).expect("the folder is there");
    let program = command.stdout(got).stderr(Stdio::null()).spawn().expect("openssl runs");
    let server = Server { program, port };
    let table = || fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    wait_for("openssl listens", || table().contains(&format!(":{port:04X} 00000000:0000 0A")));
    server
}
