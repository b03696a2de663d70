//! Mirrors, proxies, TLS and redirects.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{DOWNLOADERS, FILE, PLACE, binary, install, install_with, installed, left};
use crate::support::{Answer, Mirror, sandbox};

#[test]
fn a_mirror_is_a_folder_or_the_file_itself() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        ws.write(&format!("a mirror/{FILE}"), binary(), 0o600);
        ws.write("a mirror/any name", binary(), 0o600);
        for from in [
            "/home/coder/a mirror".to_owned(),
            "/home/coder/a mirror/".into(),
            "a mirror".into(),
            "a mirror/any name".into(),
            "file:///home/coder/a mirror".into(),
            format!("file:///home/coder/a mirror/{FILE}"),
            format!("{}/deep/er/", mirror.url()),
            format!("{}/{FILE}", mirror.url().replace("127.0.0.1", "localhost")),
        ] {
            installed(ws, &install(ws, &from).run());
            fs::remove_file(ws.home().join(PLACE)).unwrap();
        }
        assert_eq!(mirror.requests(), [format!("GET /deep/er/{FILE}"), format!("GET /{FILE}")]);
        install(ws, "/nowhere")
            .run()
            .fails(1)
            .stderr_has("error: cannot copy /nowhere to /home/coder/.local/bin");
        assert_eq!(left(ws), Vec::<String>::new());
    });
}

#[test]
fn plain_http_is_for_loopback_and_no_address_contains_a_password() {
    sandbox(|ws| {
        let mirror = Mirror::start(&Answer::File(binary()));
        let proxied = |from: &str| {
            install(ws, from).env("http_proxy", mirror.url()).env("https_proxy", mirror.url())
        };
        for from in [
            "http://mirror.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com/x",
            "ftp://h/x",
        ] {
            proxied(from).run().fails(1).stderr_has("error: not HTTPS: ");
        }
        for from in
            ["https://user:hunter2@mirror.example.com/", "http://localhost:x@mirror.example.com/"]
        {
            let refused = proxied(from).run().fails(1).stderr_has("use ~/.netrc");
            assert!(!refused.stderr.contains("hunter2"), "{refused}");
        }
        assert_eq!(mirror.requests().len(), 0);
        assert_eq!(left(ws), Vec::<String>::new());
    });
}

#[test]
fn a_proxy_is_asked_where_curl_and_wget_would() {
    sandbox(|ws| {
        for downloader in ["curl", "wget"] {
            let proxy = Mirror::start(&Answer::NotFound);
            install_with(
                ws,
                "dash",
                &format!("sha256sum {downloader}"),
                "https://mirror.example.com",
            )
            .env("https_proxy", proxy.url())
            .run()
            .fails(1)
            .stderr_has("check the address and https_proxy");
            assert_eq!(proxy.requests()[0], "CONNECT mirror.example.com:443", "{downloader}");
        }
    });
}

/// A server with a certificate of our own; its files are whole answers. Ends with the sandbox.
fn serve_tls(folder: &Path) -> String {
    let run = |args: &str| {
        Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap()
    };
    let made = run(
        "req -x509 -newkey ed25519 -nodes -keyout key -out cert -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost",
    );
    assert!(made.status.success(), "{made:?}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = [
        "s_server",
        "-quiet",
        "-HTTP",
        "-cert",
        "cert",
        "-key",
        "key",
        "-accept",
        &format!("127.0.0.1:{port}"),
    ]
    .map(String::from);
    let mut server = Command::new("openssl").args(server).current_dir(folder).spawn().unwrap();
    crate::support::await_listening(&mut server, ([127, 0, 0, 1], port).into());
    format!("https://localhost:{port}")
}

#[test]
fn https_is_checked_and_never_left() {
    sandbox(|ws| {
        let plain = Mirror::start(&Answer::File(binary()));
        let body = String::from_utf8(binary()).unwrap();
        let length = body.len();
        ws.write(
            &format!("www/{FILE}"),
            format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
            0o600,
        );
        let away = format!(
            "HTTP/1.0 302 Found\r\nContent-Length: 0\r\nLocation: {}/{FILE}\r\n\r\n",
            plain.url()
        );
        ws.write(&format!("www/down/{FILE}"), away, 0o600);
        let url = serve_tls(&ws.home().join("www"));
        for downloader in ["curl", "wget"] {
            let run = || install_with(ws, "dash", &format!("sha256sum {downloader}"), &url);
            run()
                .run()
                .fails(1)
                .stderr_has("error: cannot fetch")
                .stderr_has("is the CA installed?");
            ws.write(".wgetrc", "ca_certificate = /home/coder/www/cert\n", 0o600);
            installed(ws, &run().env("CURL_CA_BUNDLE", "/home/coder/www/cert").run());
            fs::remove_file(ws.home().join(PLACE)).unwrap();
            fs::remove_file(ws.home().join(".wgetrc")).unwrap();
        }
        install(ws, &format!("{url}/down"))
            .env("CURL_CA_BUNDLE", "/home/coder/www/cert")
            .run()
            .fails(1);
        assert_eq!(plain.requests().len(), 0);
    });
}

#[test]
fn a_redirect_is_followed() {
    sandbox(|ws| {
        let store = Mirror::start(&Answer::File(binary()));
        for downloader in DOWNLOADERS {
            let front = Mirror::start(&Answer::Redirect(format!("{}/store", store.url())));
            installed(
                ws,
                &install_with(ws, "dash", &format!("sha256sum {downloader}"), &front.url()).run(),
            );
            fs::remove_file(ws.home().join(PLACE)).unwrap();
        }
    });
}
