//! Every text of a report.

use super::{Kind, Redactor};
use crate::report::{
    Completeness, Container, Database, Evidence, Finding, JournalSummary, Kernel, KernelReach,
    Mount, Opener, Remedy, Report, Step, Target, Topology, Value, Verdict, Viewpoint, Warning,
};

/// What a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A sentence, or anything else.
    Text,
    /// A path that stands for itself.
    Path,
    /// The id of a container.
    Id,
    /// A version, which looks like an address at times.
    Version,
}

type Visit<'a> = dyn FnMut(&mut String, Role) + 'a;

/// Recognises the names in all texts of a report.
pub fn learn_report(redactor: &mut Redactor, report: &Report) {
    // One walk serves both; what it changes here is a copy.
    let mut copy = report.clone();
    learn_sources(redactor, report);
    visit(&mut copy, &mut |text, role| match role {
        Role::Text => redactor.learn(text),
        Role::Path => redactor.learn_path(text),
        Role::Version => redactor.keep(text),
        Role::Id => {
            // Tools print the first twelve digits.
            let short = text.get(..12).unwrap_or(text).to_owned();
            redactor.name(Kind::Identifier, text);
            redactor.alias(Kind::Identifier, text, &short);
        }
    });
}

fn learn_sources(redactor: &mut Redactor, report: &Report) {
    if let Some(mount) = &report.mount {
        redactor.learn_source(&mount.filesystem, &mount.source);
    }
    report.nested.iter().for_each(|one| learn_sources(redactor, one));
}

/// Replaces the names in all texts of a report.
pub fn redact_report(redactor: &mut Redactor, report: &mut Report) {
    visit(report, &mut |text, _| *text = redactor.redact(text));
}

/// Every structure is taken apart whole, so that a new field is a compiler's error here before it
/// is a leak.
fn visit(report: &mut Report, each: &mut Visit<'_>) {
    let Report {
        schema: _,
        summary,
        completeness,
        target,
        topology,
        mount,
        database: own,
        databases,
        evidence,
        findings,
        verdicts,
        remedies,
        warnings,
        nested,
    } = report;
    visit_topology(topology, each);
    each(summary, Role::Text);
    match completeness {
        Completeness::Complete => {}
        Completeness::Partial { missing } => all(missing, each),
    }
    let Target { path, resolved, kind: _, seen_by } = target;
    each(path, Role::Path);
    each(resolved, Role::Path);
    if let Some(Viewpoint { pid: _, program, container: inside }) = seen_by {
        each(program, Role::Text);
        inside.iter_mut().for_each(|one| container(one, each));
    }
    mount.iter_mut().for_each(|one| visit_mount(one, each));
    own.iter_mut().chain(databases).for_each(|one| database(one, each));
    for Evidence { id: _, kind: _, outcome: _, summary, errno: _, values } in evidence {
        each(summary, Role::Text);
        values.values_mut().for_each(|one| value(one, each));
    }
    for Finding { code: _, severity: _, subject, what, evidence: _, action } in findings {
        each(subject, Role::Path);
        each(what, Role::Text);
        each(action, Role::Text);
    }
    for Verdict { mode: _, openers: _, judgement: _, because, evidence: _, would_prove } in verdicts
    {
        each(because, Role::Text);
        would_prove.iter_mut().for_each(|text| each(text, Role::Text));
    }
    remedies.iter_mut().for_each(|one| remedy(one, each));
    for Warning { advice, why } in warnings {
        each(advice, Role::Text);
        each(why, Role::Text);
    }
    nested.iter_mut().for_each(|one| visit(one, each));
}

fn visit_topology(topology: &mut Topology, each: &mut Visit<'_>) {
    let Topology { kernel, container: inside, machine: _, reach, map } = topology;
    let Kernel { boot_id, release, version, machine } = kernel;
    each(release, Role::Version);
    each(version, Role::Version);
    each(machine, Role::Text);
    boot_id.iter_mut().for_each(|text| each(text, Role::Text));
    inside.iter_mut().for_each(|one| container(one, each));
    let KernelReach { count: _, kernels, because } = reach;
    all(kernels, each);
    each(because, Role::Text);
    each(map, Role::Text);
}

fn container(container: &mut Container, each: &mut Visit<'_>) {
    let Container { runtime: _, id, name } = container;
    id.iter_mut().for_each(|text| each(text, Role::Id));
    name.iter_mut().for_each(|text| each(text, Role::Text));
}

fn visit_mount(mount: &mut Mount, each: &mut Visit<'_>) {
    let Mount {
        mount_point,
        root,
        filesystem: _,
        source,
        options,
        super_options,
        file_mount: _,
        deleted: _,
        statfs_magic: _,
        knowledge: _,
    } = mount;
    each(mount_point, Role::Path);
    each(root, Role::Path);
    each(source, Role::Text);
    all(options, each);
    all(super_options, each);
}

fn database(database: &mut Database, each: &mut Visit<'_>) {
    let Database {
        path,
        size_bytes: _,
        journal_mode: _,
        page_size_bytes: _,
        writer_version: _,
        wal: _,
        wal_index: _,
        journal,
        openers,
        findings: _,
    } = database;
    each(path, Role::Path);
    if let Some(JournalSummary { size_bytes: _, state: _, super_journal }) = journal {
        super_journal.iter_mut().for_each(|text| each(text, Role::Path));
    }
    for Opener { pid: _, program, writable: _, container, locks: _, sqlite_version } in openers {
        each(program, Role::Text);
        container.iter_mut().for_each(|text| each(text, Role::Text));
        sqlite_version.iter_mut().for_each(|text| each(text, Role::Version));
    }
}

fn remedy(remedy: &mut Remedy, each: &mut Visit<'_>) {
    let Remedy { id: _, title, why, steps, cost, risk, undo, reach: _ } = remedy;
    for text in [title, why, cost, risk, undo] {
        each(text, Role::Text);
    }
    for Step { text, code } in steps {
        each(text, Role::Text);
        code.iter_mut().for_each(|code| each(code, Role::Text));
    }
}

fn value(value: &mut Value, each: &mut Visit<'_>) {
    match value {
        Value::Flag(_) | Value::Integer(_) => {}
        Value::Text(text) => each(text, Role::Text),
        Value::List(texts) => all(texts, each),
    }
}

fn all(texts: &mut [String], each: &mut Visit<'_>) {
    texts.iter_mut().for_each(|text| each(text, Role::Text));
}
