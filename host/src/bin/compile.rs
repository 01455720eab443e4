//! Turns a JavaScript bundle into an executable: `compile HOST NAME OUTPUT < BUNDLE`.
//!
//! NAME is what the bundle is called in stack traces, such as `bridge-binding.js`.

use std::{env, error::Error, fs, io, os::unix::fs::PermissionsExt, process::ExitCode};

use host::{
    engine::{Engine, Parser},
    payload,
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
    let [host, name, output] = args.as_slice() else {
        return Err("usage: compile HOST NAME OUTPUT < BUNDLE".into());
    };
    let bundle = io::read_to_string(io::stdin())?;
    let bytecode = Engine::start::<Parser>()?.compile(name, &bundle)?;
    let mut executable = fs::read(host)?;
    payload::append(&mut executable, &bytecode);
    // Beside it first: an executable that runs cannot be written to, only replaced.
    let unfinished = format!("{output}.new");
    fs::write(&unfinished, executable)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    fs::rename(unfinished, output)?;
    Ok(())
}
