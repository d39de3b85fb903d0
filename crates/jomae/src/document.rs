//! What the command line says of itself: completions, manual pages, and its reference.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    path::Path,
    process::Stdio,
};

use clap::{Arg, Command, CommandFactory as _, builder::PossibleValuesParser};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use jomae_api::{
    actions,
    spec::{KeySpec, KeyUsage},
};

use crate::{
    args::Args,
    help,
    keys::STATES,
    names,
    output::{self, Failure},
};

pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_values(Args::command()), "jomae", &mut script);
    script.extend_from_slice(match shell {
        Shell::Bash => include_bytes!("completions.bash"),
        Shell::Fish => include_bytes!("completions.fish"),
        _ => &[],
    });
    output::write_out(&script)
}

/// The command line with the values that the API knows, to be completed; it takes others too, since a service may know more.
fn with_values(command: Command) -> Command {
    let values = |names: Vec<&'static str>| PossibleValuesParser::new(names);
    let actions = values(actions::ACTIONS.iter().map(|spec| spec.name).collect());
    let specs = values(KeySpec::ALL.iter().map(|spec| spec.as_str()).collect());
    let usages = values(KeyUsage::ALL.iter().map(|usage| usage.as_str()).collect());
    command
        .mut_subcommand("call", |call| call.mut_arg("action", |arg| arg.value_parser(actions.clone())))
        .mut_subcommand("audit", |audit| {
            audit.mut_subcommand("search", |search| {
                search.mut_arg("event_name", |arg| arg.value_parser(actions.clone()))
            })
        })
        .mut_subcommand("key", |key| {
            key.mut_subcommand("create", |create| {
                create.mut_arg("spec", |arg| arg.value_parser(specs)).mut_arg("usage", |arg| arg.value_parser(usages))
            })
            .mut_subcommand("list", |list| list.mut_arg("state", |arg| arg.value_parser(values(STATES.to_vec()))))
        })
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
fn failed(error: std::io::Error) -> Failure {
    Failure::Local(format!("manual page: {error}"))
}

/// The page of one command: through `man` on a terminal, else its source.
pub fn man(words: &[String]) -> Result<(), Failure> {
    let mut command = built();
    for word in words {
        let Some(sub) = command.find_subcommand(word) else {
            let meant = names::nearest(word, command.get_subcommands().map(Command::get_name));
            let meant = meant.map_or_else(String::new, |meant| format!("; is {meant} meant?"));
            return Err(Failure::Usage(format!("there is no command {word:?}{meant}")));
        };
        command = sub.clone();
    }
    let page = page(&command, &words.join(" ")).map_err(failed)?;
    if std::io::stdout().is_terminal()
        && let Ok(mut reader) = std::process::Command::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn()
    {
        if let Some(mut pipe) = reader.stdin.take() {
            // A reader that is left early reads no more.
            let _ = pipe.write_all(&page);
        }
        return reader.wait().map(drop).map_err(failed);
    }
    output::write_out(&page)
}

/// The pages of all commands, a file each.
pub fn man_all(directory: &Path) -> Result<(), Failure> {
    fn write(command: &Command, path: &str, directory: &Path) -> std::io::Result<()> {
        std::fs::write(directory.join(Man::new(command.clone()).get_filename()), page(command, path)?)?;
        let mut subs = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        subs.try_for_each(|sub| write(sub, format!("{path} {}", sub.get_name()).trim_start(), directory))
    }
    write(&built(), "", directory).map_err(failed)
}

/// All commands, in Markdown: `docs/cli.md`.
pub fn reference() -> Result<(), Failure> {
    let command = built();
    let mut text = "# The command line\n\n\
        Every command with what it takes, written from the program. `jomae COMMAND --help` says the same, `jomae man COMMAND` \
        shows it as a manual page, and [Operations](operations.md) says how to work with it.\n\n\
        ## Options of commands that call the service\n\n"
        .to_owned();
    let shared = command.find_subcommand("key").into_iter().flat_map(Command::get_arguments);
    shared.filter(|argument| argument.is_global_set()).for_each(|argument| option(argument, &mut text));
    text.push_str("\nThe options of output are also those of `account` and `policy`.\n");
    block("Environment", "text", &help::environment(&shared_arguments(&command)), &mut text);
    block("Exit status", "text", &help::exit_status(""), &mut text);
    described(&command, "", &mut text);
    output::write_out(text.as_bytes())
}

fn shared_arguments(command: &Command) -> Vec<Arg> {
    let of = |name: &str| command.find_subcommand(name).into_iter().flat_map(Command::get_arguments).cloned();
    of("key").chain(of("serve")).collect()
}

fn described(command: &Command, path: &str, text: &mut String) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let path = format!("{path} {}", sub.get_name());
        let about = sub.get_long_about().or(sub.get_about()).map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "\n## jomae{path}\n\n{}\n", about.trim_end());
        if sub.has_subcommands() {
            described(sub, &path, text);
            continue;
        }
        let usage = sub.clone().render_usage().to_string();
        let _ = write!(text, "\n```text\n{}\n```\n", usage.trim_start_matches("Usage: "));
        let own: Vec<&Arg> = sub.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set()).collect();
        let own: Vec<&&Arg> = own.iter().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version")).collect();
        if !own.is_empty() {
            text.push('\n');
        }
        for argument in own {
            option(argument, text);
        }
        for (head, lines) in help::sections(path.trim_start(), &[]) {
            if head == "Examples" {
                let _ = write!(text, "\n```sh\n{lines}```\n");
            } else if head == "Exit status" && lines != help::exit_status("") {
                block(head, "text", &lines, text);
            }
        }
    }
}

fn block(head: &str, language: &str, lines: &str, text: &mut String) {
    let _ = write!(text, "\n{head}:\n\n```{language}\n{lines}```\n");
}

/// An argument, in one line.
fn option(argument: &Arg, text: &mut String) {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "- `{}`: {help}", argument.to_string().replace('`', ""));
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if !values.is_empty() && argument.get_action().takes_values() {
        let _ = write!(text, " ({})", values.join(", "));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if let Some(default) =
        defaults.first().filter(|default| !default.is_empty() && argument.get_action().takes_values())
    {
        let _ = write!(text, " [default: {default}]");
    }
    text.push('\n');
}

/// All commands, with the options that they have from those above them.
fn built() -> Command {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    command
}

fn page(command: &Command, path: &str) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let arguments: Vec<Arg> = command.get_arguments().cloned().collect();
    let is_leaf = !command.has_subcommands();
    let mut roff = Roff::new();
    for (head, text) in
        help::sections(path, &arguments).into_iter().filter(|(head, _)| is_leaf || *head == "Exit status")
    {
        roff.control("SH", [head.to_uppercase().as_str()]);
        roff.control("nf", []);
        for line in text.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    roff.to_writer(&mut page)?;
    Ok(page)
}
