//! Turns a JavaScript bundle into an executable.
//!
//! Usage: `compile HOST NAME OUTPUT [LABEL [RUNNER]] < BUNDLE`
//!
//! - NAME is the bundle's name in stack traces, such as `bridge-binding.js`.
//! - LABEL identifies the executable to other programs, which do not run it.
//! - RUNNER is a program that runs a host for another architecture, such as qemu-aarch64.

use std::{
    env,
    error::Error,
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    process::{Command, ExitCode},
};

use host::{
    engine::{Engine, Parser},
    frozen::FREEZE,
    trailer,
};

fn main() -> ExitCode {
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compile: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compile() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [host, name, output, more @ ..] = args.as_slice() else {
        return Err("usage: compile HOST NAME OUTPUT [LABEL [RUNNER]] < BUNDLE".into());
    };
    let (label, runner) = (more.first().map_or("", String::as_str), more.get(1));
    if label.len() > trailer::LABEL {
        return Err(format!("{label}: is {} bytes, expected at most {}", label.len(), trailer::LABEL).into());
    }
    let bundle = io::read_to_string(io::stdin())?;
    let bytecode = Engine::start::<Parser>()?.compile(name, &bundle)?;
    let host = fs::read(host)?;
    let with_payload = |payload: &[u8], engine| with_payload(&host, label, payload, engine);
    let plugin = with_payload(&bytecode, 0);
    // Addresses in the host are the same in every process only if the host has fixed addresses.
    if !is_fixed(&host) {
        return write_executable(output, &plugin);
    }
    let freezer = format!("{output}.bytecode");
    write_executable(&freezer, &plugin)?;
    let mut command = Command::new(runner.unwrap_or(&freezer));
    if runner.is_some() {
        command.arg(&freezer);
    }
    let frozen = command.arg(OsStr::from_bytes(FREEZE.to_bytes())).env_clear().output();
    fs::remove_file(freezer)?;
    let frozen = frozen?;
    if !frozen.status.success() {
        let words = String::from_utf8_lossy(&frozen.stderr);
        // The message begins with the name of a file that no longer exists.
        let (_, fault) = words.split_once(": ").unwrap_or(("", "it died while it was frozen"));
        return Err(fault.trim_end().into());
    }
    let (address, heap) = frozen.stdout.split_first_chunk().ok_or("nothing was frozen")?;
    write_executable(output, &with_payload(heap, usize::from_le_bytes(*address)))
}

fn with_payload(host: &[u8], label: &str, payload: &[u8], engine: usize) -> Vec<u8> {
    let mut executable = host.to_vec();
    trailer::append(&mut executable, label, payload, engine);
    executable
}

/// Whether an ELF file is an `ET_EXEC`, which has fixed addresses, unlike an `ET_DYN`.
fn is_fixed(elf: &[u8]) -> bool {
    elf.get(16..18) == Some(&2u16.to_le_bytes())
}

fn write_executable(output: &str, executable: &[u8]) -> Result<(), Box<dyn Error>> {
    // Writes a temporary file first: a running executable cannot be written to, only replaced.
    let unfinished = format!("{output}.new");
    fs::write(&unfinished, executable)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    fs::rename(unfinished, output)?;
    Ok(())
}
