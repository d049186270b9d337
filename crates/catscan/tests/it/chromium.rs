//! A real browser, driven by its own protocol (Chrome DevTools) over a pair of pipes, where one is
//! installed (Debian's `chromium`, or another Chrome).

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

/// A tab of its own.
pub struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    calls: u64,
    session: Option<String>,
    /// Errors of the page's console and its script.
    pub complaints: Vec<String>,
}

impl Browser {
    /// Opens `url`; `None`, with a message, where there is no browser (a fault where
    /// `CATSCAN_REQUIRE_BROWSER` is set). Its profile is in `folder`, and what it saves.
    pub fn open(folder: &Path, url: &str) -> Option<Browser> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let found =
            names.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
        let Some(name) = found else {
            println!("no chromium on this machine: {url} was not tried in a browser");
            let required = std::env::var_os("CATSCAN_REQUIRE_BROWSER").is_some();
            assert!(!required, "CATSCAN_REQUIRE_BROWSER is set, and there is no browser");
            return None;
        };
        let pipes = ["to", "from"].map(|name| folder.join(name));
        assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
        // The browser reads calls from its third pipe and answers on its fourth.
        let child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<to 4>from", "sh", name, "--remote-debugging-pipe"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .current_dir(folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(&pipes[0]).unwrap();
        let from = BufReader::new(File::open(&pipes[1]).unwrap());
        let (session, complaints) = (None, Vec::new());
        let mut browser = Browser { child, to, from, calls: 0, session, complaints };
        let saved = json!({ "behavior": "allow", "downloadPath": folder.join("saved") });
        browser.call("Browser.setDownloadBehavior", saved);
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach)["sessionId"].clone();
        browser.session = Some(session.as_str().unwrap().to_owned());
        for part in ["Runtime.enable", "Log.enable", "DOM.enable", "Page.enable"] {
            browser.call(part, json!({}));
        }
        browser.call("Page.navigate", json!({ "url": url }));
        Some(browser)
    }

    /// What an expression of the page gives, as JSON.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds.
    pub fn wait_for(&mut self, expression: &str) {
        let began = Instant::now();
        while self.value(expression) != json!(true) {
            let page = "document.body.innerText";
            let late = began.elapsed() > Duration::from_secs(60);
            assert!(!late, "{expression} never held:\n{}", self.value(page));
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What axe finds that is serious or worse (<https://github.com/dequelabs/axe-core>), as text;
    /// nothing, with a message, where `CATSCAN_AXE` does not name its `axe.min.js`.
    pub fn accessibility_faults(&mut self) -> Vec<String> {
        let Some(path) = std::env::var_os("CATSCAN_AXE") else {
            println!("CATSCAN_AXE names no axe.min.js (npm install axe-core): axe was not asked");
            return Vec::new();
        };
        let axe = std::fs::read_to_string(&path).expect("CATSCAN_AXE names a file");
        self.value(&format!("{axe}; window.faults = null; undefined"));
        self.value("axe.run(document).then((found) => { window.faults = found; }); undefined");
        self.wait_for("window.faults !== null");
        assert!(self.value("window.faults.passes.length").as_u64() > Some(10), "axe looked");
        let faults = "window.faults.violations.filter((v) => /serious|critical/.test(v.impact)) \
                      .map((v) => v.id + ': ' + v.nodes.map((node) => node.html).join(' '))";
        serde_json::from_value(self.value(faults)).unwrap()
    }

    /// Shows the page as a screen of this width does, in this theme.
    pub fn show(&mut self, width_px: u32, theme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": theme });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
        let screen =
            json!({ "width": width_px, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", screen);
    }

    /// Whether the page is so wide and needs no moving sideways.
    pub fn fits(&mut self, width_px: u32) -> bool {
        let page = "document.documentElement";
        self.value(&format!(
            "innerWidth === {width_px} && {page}.scrollWidth <= {page}.clientWidth"
        )) == json!(true)
    }

    /// Presses and releases a key, such as `ArrowLeft` (37).
    pub fn press(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Chooses a file as a person would.
    pub fn choose(&mut self, input: &str, file: &Path) {
        let document = self.call("DOM.getDocument", json!({}));
        let place = json!({ "nodeId": document["root"]["nodeId"], "selector": input });
        let node = self.call("DOM.querySelector", place)["nodeId"].clone();
        self.call("DOM.setFileInputFiles", json!({ "files": [file], "nodeId": node }));
    }

    /// Presses a button, which saves a file of this name; its bytes.
    pub fn save(&mut self, button: &str, folder: &Path, name: &str) -> Vec<u8> {
        self.value(&format!("document.querySelector({}).click(); undefined", json!(button)));
        let file = folder.join("saved").join(name);
        let began = Instant::now();
        // The browser takes the name with an empty file, and renames the whole one to it.
        while !file.metadata().is_ok_and(|of| of.len() > 0) {
            let late = began.elapsed() > Duration::from_secs(60);
            assert!(
                !late,
                "{button} saved no {name}: {:?}",
                super::support::names(&folder.join("saved"))
            );
            thread::sleep(Duration::from_millis(50));
        }
        std::fs::read(file).unwrap()
    }

    /// The page as a printer gets it.
    pub fn print(&mut self) -> Vec<u8> {
        let printed = self.call("Page.printToPDF", json!({ "printBackground": true }));
        let code = printed["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD.decode(code).unwrap()
    }

    /// Shows the page as it is printed on paper of this width.
    pub fn show_printed(&mut self, width_px: u32) {
        self.show(width_px, "light");
        self.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    }

    /// Lets go of a file over the page, as a person would who drags it there.
    pub fn drop_file(&mut self, name: &str, bytes: &[u8]) {
        self.value(&format!(
            "{{ const dragged = new DataTransfer(); \
             dragged.items.add(new File([new Uint8Array({})], {})); \
             const event = {{ dataTransfer: dragged, bubbles: true, cancelable: true }}; \
             for (const kind of ['dragover', 'drop']) \
               document.body.dispatchEvent(new DragEvent(kind, event)); }} undefined",
            json!(bytes),
            json!(name)
        ));
    }

    /// One call of the protocol; what the page complains of meanwhile is kept.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        let mut bytes = call.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut bytes = Vec::new();
            assert!(self.from.read_until(0, &mut bytes).unwrap() > 0, "the browser is gone");
            bytes.pop();
            let said: Value = serde_json::from_slice(&bytes).unwrap();
            if said["id"] == json!(self.calls) {
                assert!(said["error"].is_null(), "{method}: {said}");
                return said["result"].clone();
            }
            let complains =
                ["Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"];
            if complains.contains(&said["method"].as_str().unwrap_or_default()) {
                self.complaints.push(said["params"].to_string());
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
