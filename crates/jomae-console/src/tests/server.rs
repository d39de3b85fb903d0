//! The pages about the service itself.

use serde_json::json;

use crate::{
    Frame,
    pages::{self, Age, NoServer},
};

/// Every one of them, with a value in every place where a configuration or a store can put one.
pub fn all_pages(frame: &Frame<'_>, value: &str) -> Vec<String> {
    let node = |state: &str| {
        json!({ "Name": value, "State": state, "Worker": true, "Version": format!("{value}{state}"), "SilentMilliseconds": 12,
            "ClockAheadSeconds": -3, "AuditEvents": 5 })
    };
    let shredding_key = json!({ "ShreddingKeyId": value, "State": value, "CreateTime": value, "RetireTime": value, "DestroyTime": value });
    let last = |whole: bool, place: &str| {
        json!({ "Last": { "BackupId": value, "Node": value, "CreateTime": value, "Whole": whole, "BaseBackupId": value,
            "Records": 1, "Bytes": 2, "PlaceKind": place }, "Failures": 0, "LastDrillTime": value, "DrillFailures": 1 })
    };
    let slot = json!({ "Name": value, "Provider": value, "CreateTime": value, "Detail": value });
    let answer = json!({
        "Version": value, "StoredForm": 3, "StartTime": value, "Node": value, "CertificateDaysLeft": 30,
        "Settings": { "Setting": [{ "Name": value, "Value": value }, { "Name": value, "Value": "" }] },
        "RootKey": { "OpenedBy": value, "DomainKeys": 1, "Slots": { "Slot": [slot] } },
        "Hsm": { "TokenLabel": value, "State": "Down", "Restarts": 0 },
        "Destruction": { "Mode": "shred", "Shares": value, "ShreddingKeys": { "ShreddingKey": [shredding_key.clone()] } },
        "Nodes": { "Node": [node("Serves"), node("Gone"), node("Left")] },
        "AuditLog": { "Writable": true, "Events": 9, "CoveredEvents": 8 },
        "Backup": last(true, "s3"),
    });
    let mut bare = answer.clone();
    bare["Destruction"] = json!({ "Mode": "delete", "ShreddingKeys": { "ShreddingKey": [shredding_key] } });
    bare["Nodes"] = json!({ "Node": [] });
    bare["Backup"] = last(false, "directory");
    bare["AuditLog"]["Writable"] = json!(false);
    for absent in ["Hsm", "CertificateDaysLeft"] {
        bare.as_object_mut().unwrap().remove(absent);
    }
    let mut never = bare.clone();
    never["Backup"] = json!({ "Failures": 0, "DrillFailures": 0 });
    vec![
        pages::settings(frame, &answer),
        pages::settings(frame, &bare),
        pages::cluster(frame, &answer),
        pages::cluster(frame, &bare),
        pages::backups(frame, &answer, Some(&Age::Minutes(5))),
        pages::backups(frame, &bare, Some(&Age::Hours(5))),
        pages::backups(frame, &bare, Some(&Age::Days(5))),
        pages::backups(frame, &never, None),
        pages::no_server(frame, &NoServer::OtherAccount),
        pages::no_server(frame, &NoServer::Refused),
    ]
}
