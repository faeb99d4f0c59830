//! Pages on origins of their own: the smallest web server a browser is content
//! with.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// Serves the files of a folder for as long as the test runs; answers the origin.
pub fn serve(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            // Browsers open connections on suspicion and say nothing on them.
            std::thread::spawn(move || answer(stream, &folder));
        }
    });
    format!("http://{address}")
}

/// Answers one request and closes.
fn answer(mut stream: TcpStream, folder: &Path) {
    let mut request = BufReader::new(stream.try_clone().expect("a copy"));
    let mut line = String::new();
    let mut header = String::new();
    let _ = request.read_line(&mut line);
    while request.read_line(&mut header).is_ok_and(|read| read > 2) {
        header.clear();
    }
    let path = line.split_whitespace().nth(1).unwrap_or_default();
    let (name, kind) = match path {
        "/" => ("index.html", "text/html; charset=utf-8"),
        "/page.js" => ("page.js", "text/javascript; charset=utf-8"),
        _ => ("", ""),
    };
    let file = std::fs::read(folder.join(name));
    let (status, body) = match file {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
}
