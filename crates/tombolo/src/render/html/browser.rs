//! The page in a real browser, at the widths of a phone and of a desktop, light and dark: nothing
//! is wider than the window, and nothing is asked for. `cargo xtask ci browser` runs this.

use super::super::testing::{healthy, prepared, refused_maps, unsafe_locks};
use super::html;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use tombolo_core::report::Report;

/// CSS pixels.
const WIDTHS: [u32; 2] = [390, 1280];

/// The first browser of these that is there.
const BROWSERS: [&str; 4] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

fn browser() -> &'static str {
    let there = |name: &&str| {
        let asked = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    BROWSERS.into_iter().find(there).unwrap_or_else(|| {
        panic!("none of {BROWSERS:?} is installed (Debian: apt-get install chromium)")
    })
}

/// Shows the page in a frame of each width, and asks the browser what has become of it. The frame
/// is of the same origin, so that its measures may be read; the policy of the page holds inside.
fn harness(page: &str) -> String {
    let page = serde_json::to_string(page).expect("JSON").replace('<', "\\u003c");
    format!(
        "<!DOCTYPE html><body><script>
const page = {page}, widths = {WIDTHS:?}, said = [];
const measure = (frame, width) => {{
  const inside = frame.contentDocument, root = inside.documentElement;
  inside.querySelectorAll('details').forEach(one => one.open = true);
  const wide = [...inside.body.querySelectorAll('*')].filter(one =>
    !one.closest('pre') && !one.closest('thead') && one.getBoundingClientRect().right > width + 1);
  said.push({{width, inner: frame.contentWindow.innerWidth, whole: root.scrollWidth,
    wide: wide.map(one => one.tagName + '.' + one.className),
    asked: frame.contentWindow.performance.getEntriesByType('resource').map(one => one.name),
    dark: frame.contentWindow.matchMedia('(prefers-color-scheme: dark)').matches,
    ground: frame.contentWindow.getComputedStyle(inside.body).backgroundColor}});
  if (said.length === widths.length) {{
    document.body.textContent = 'SAID' + JSON.stringify(said) + 'DIAS';
  }}
}};
for (const width of widths) {{
  const frame = document.createElement('iframe');
  frame.style = `border:0;width:${{width}}px;height:2000px`;
  frame.onload = () => measure(frame, width);
  frame.srcdoc = page;
  document.body.append(frame);
}}
</script></body>"
    )
}

fn ask(directory: &Path, page: &str, dark: bool) -> Vec<Value> {
    let file = directory.join("harness.html");
    std::fs::write(&file, harness(page)).expect("written");
    let scheme = if dark { 0 } else { 1 };
    let output = Command::new(browser())
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--window-size=1400,2000", "--disable-background-networking", "--no-first-run"])
        .args(["--virtual-time-budget=20000"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--user-data-dir={}", directory.join("profile").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .stderr(Stdio::null())
        .output()
        .expect("the browser runs");
    let text = String::from_utf8_lossy(&output.stdout).replace("&quot;", "\"");
    let said = text.rsplit_once("SAID").and_then(|(_, rest)| rest.split_once("DIAS"));
    let (said, _) = said.unwrap_or_else(|| panic!("the browser did not measure: {text}"));
    serde_json::from_str(said).expect("JSON")
}

fn assert_fits(name: &str, report: Report) {
    let directory = tempfile::tempdir().expect("a directory");
    let page = html(&prepared(report).bundle).expect("a page");
    let mut grounds = Vec::new();
    for dark in [false, true] {
        for said in ask(directory.path(), &page, dark) {
            assert_eq!(said["inner"], said["width"], "{name}: {said}");
            assert_eq!(said["whole"], said["width"], "{name} is wider than its window: {said}");
            assert_eq!(said["wide"], serde_json::json!([]), "{name}: {said}");
            assert_eq!(said["asked"], serde_json::json!([]), "{name} asked for something: {said}");
            assert_eq!(said["dark"], dark, "{name}: {said}");
            grounds.push(said["ground"].as_str().expect("a colour").to_owned());
        }
    }
    grounds.dedup();
    assert_eq!(grounds.len(), 2, "light and dark look different: {grounds:?}");
}

#[test]
#[ignore = "needs a browser: `cargo xtask ci browser` runs it"]
fn pages_fit_phones_and_desktops_in_a_browser() {
    assert_fits("refused_maps", refused_maps());
    assert_fits("unsafe_locks", unsafe_locks());
    assert_fits("healthy", healthy());
}
