//! What the suites need, in a cache below the target directory: from PyPI by pip, of the
//! distribution's sources by apt-get.

use super::catalogue::Sdist;
use crate::shell::{self, Failure};
use crate::suites::source;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The distribution's, whose `sqlite3` is linked with the distribution's SQLite.
const PYTHON: &str = "/usr/bin/python3";
/// Packages of PyPI, each in one version.
const REQUIREMENTS: &str = include_str!("requirements.txt");
/// Prints the name of the source package of the distribution's Python.
const NAME_OF_SOURCE: &str = "import sys; print('python%d.%d' % sys.version_info[:2])";

/// The cache.
#[derive(Debug)]
pub(super) struct Installed {
    cache: PathBuf,
    /// Where what the runs print is left.
    pub(super) logs: PathBuf,
}

impl Installed {
    pub(super) fn in_cache() -> Result<Self, Failure> {
        let cache = shell::target_directory().join("suites/clients");
        let logs = cache.join("logs");
        fs::create_dir_all(&logs).map_err(Failure::file(&logs))?;
        Ok(Installed { cache, logs })
    }

    /// A Python with the packages of [`REQUIREMENTS`].
    pub(super) fn python(&self) -> Result<PathBuf, Failure> {
        let environment = self.cache.join("python");
        let python = environment.join("bin/python3");
        // Written last, so that what was interrupted is made anew.
        let done = environment.join("requirements.txt");
        if fs::read_to_string(&done).ok().as_deref() == Some(REQUIREMENTS) {
            return Ok(python);
        }
        let wanted = self.cache.join("requirements.txt");
        fs::write(&wanted, REQUIREMENTS).map_err(Failure::file(&wanted))?;
        let mut make = Command::new(PYTHON);
        shell::run(make.args(["-m", "venv", "--clear"]).arg(&environment))?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]);
        shell::run(install.arg(&wanted))?;
        fs::copy(&wanted, &done).map_err(Failure::file(&done))?;
        Ok(python)
    }

    /// The source of a package of PyPI, as its authors packed it.
    pub(super) fn source_of(&self, sdist: &Sdist) -> Result<PathBuf, Failure> {
        let name = format!("{}-{}", sdist.name, sdist.version);
        let place = self.cache.join(&name);
        let source = place.join(sdist.directory);
        if source.is_dir() {
            return Ok(source);
        }
        let unfinished = self.cache.join(format!("{name}.unfinished"));
        fs::create_dir_all(&unfinished).map_err(Failure::file(&unfinished))?;
        let mut download = Command::new(self.python()?);
        download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]);
        download.arg(sdist.name).arg(format!("{}=={}", sdist.name, sdist.version));
        shell::run(download.arg("--dest").arg(&unfinished))?;
        let archive = format!("{}.tar.gz", sdist.directory);
        let mut unpack = Command::new("tar");
        unpack.current_dir(&unfinished).args(["--extract", "--gzip", "--file"]);
        shell::run(unpack.arg(archive))?;
        fs::rename(&unfinished, &place).map_err(Failure::file(&place))?;
        Ok(source)
    }

    /// A directory with CPython's package `test` alone, as the distribution packs its source: its
    /// package of tests leaves those of `sqlite3` out.
    pub(super) fn tests_of_cpython(&self) -> Result<PathBuf, Failure> {
        let mut ask = Command::new(PYTHON);
        let (_, name) = shell::output(ask.args(["-c", NAME_OF_SOURCE]))?;
        let work = self.cache.join(name.trim());
        let path = work.join("path");
        if path.is_dir() {
            return Ok(path);
        }
        let unfinished = path.with_extension("unfinished");
        fs::create_dir_all(&unfinished).map_err(Failure::file(&unfinished))?;
        // The authors' archive is all that is wanted of it.
        source::download(&work, &["--tar-only", name.trim()])?;
        let mut unpack = Command::new("tar");
        unpack.arg("--directory").arg(&unfinished).args(["--strip-components=2", "--extract"]);
        unpack.args(["--wildcards", "*/Lib/test", "--file"]);
        shell::run(unpack.arg(source::found(&work, |name| name.contains(".orig.tar."))?))?;
        fs::rename(&unfinished, &path).map_err(Failure::file(&path))?;
        Ok(path)
    }
}

/// better-sqlite3 of npm, which `setup` builds and the tests of the doctor use as well.
pub(super) fn better_sqlite3() -> Result<PathBuf, Failure> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let module = home.map(|home| home.join(".cache/tombolo-lab/node/node_modules/better-sqlite3"));
    let is_built = |module: &PathBuf| module.join("build/Release/better_sqlite3.node").is_file();
    let missing = || Failure::Check("`./setup suites` installs better-sqlite3".to_owned());
    module.filter(is_built).ok_or_else(missing)
}

/// Compiles a class of ours against a library.
pub(super) fn compile(source: &Path, library: &str, into: &Path) -> Result<(), Failure> {
    let mut compiler = Command::new("javac");
    compiler.args(["-cp", library]).arg("-d").arg(into);
    shell::run(compiler.arg(source).stdout(Stdio::null()))
}
