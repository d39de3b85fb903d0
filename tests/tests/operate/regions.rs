//! One server for several regions.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_tests::{
    Server, Site,
    wire::{Answer, Wire, signed},
};

const CONFIG: &str = "region = \"cn-hangzhou\"\nregions = [\"cn-shanghai\"]\n[tls]\nnames = [\"kms.cn-hangzhou.example\", \
                      \"kms.cn-shanghai.example\", \"kms-vpc.cn-shanghai.example\", \"kms.cn-beijing.example\"]\n";
const HANGZHOU: &str = "kms.cn-hangzhou.example";
const SHANGHAI: &str = "kms.cn-shanghai.example";

fn ask(server: &Server, host: &str, action: &str, form: &[(&str, &str)]) -> Answer {
    Wire::tls_as(server, host).ask(signed(server, host, action, form))
}

fn text(answer: &Answer, pointer: &str) -> String {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json().pointer(pointer).and_then(|value| value.as_str()).expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_chooses_the_region_and_keys_never_cross() {
    let site = Site::default();
    let server = site.launch().config(CONFIG).start();
    let made = ask(&server, SHANGHAI, "CreateKey", &[]);
    let (key, arn) = (text(&made, "/KeyMetadata/KeyId"), text(&made, "/KeyMetadata/Arn"));
    assert!(arn.starts_with("acs:kms:cn-shanghai:"), "{arn}");
    let own = ask(&server, HANGZHOU, "CreateKey", &[]);
    assert!(text(&own, "/KeyMetadata/Arn").starts_with("acs:kms:cn-hangzhou:"));
    assert_eq!(ask(&server, SHANGHAI, "CreateAlias", &[("AliasName", "alias/a"), ("KeyId", &key)]).status, 200);
    let plaintext = STANDARD.encode("hello");
    let blob =
        text(&ask(&server, SHANGHAI, "Encrypt", &[("KeyId", &key), ("Plaintext", &plaintext)]), "/CiphertextBlob");

    for host in [SHANGHAI, "kms-vpc.cn-shanghai.example"] {
        for name in [key.as_str(), "alias/a", &arn] {
            assert_eq!(text(&ask(&server, host, "DescribeKey", &[("KeyId", name)]), "/KeyMetadata/KeyId"), key);
        }
        assert_eq!(text(&ask(&server, host, "Decrypt", &[("CiphertextBlob", &blob)]), "/Plaintext"), plaintext);
        assert_eq!(ask(&server, host, "ListKeys", &[]).json()["TotalCount"], 1);
    }
    // A host of no region of ours, or of none, is the default region.
    for host in [HANGZHOU, "localhost", "kms.cn-beijing.example"] {
        for (name, code) in [
            (key.as_str(), "Forbidden.KeyNotFound"),
            ("alias/a", "Forbidden.AliasNotFound"),
            (&arn, "Forbidden.KeyNotFound"),
        ] {
            let answer = ask(&server, host, "DescribeKey", &[("KeyId", name)]);
            assert_eq!((answer.status, answer.code().as_str()), (404, code), "{host} {name}");
            let answer = ask(&server, host, "Encrypt", &[("KeyId", name), ("Plaintext", &plaintext)]);
            assert_eq!((answer.status, answer.code().as_str()), (404, code), "{host} {name}");
        }
        assert!(ask(&server, host, "Decrypt", &[("CiphertextBlob", &blob)]).status >= 400);
        assert_eq!(ask(&server, host, "ListKeys", &[]).json()["TotalCount"], 1);
        assert_eq!(ask(&server, host, "ListAliases", &[]).json()["TotalCount"], 0);
    }
    let regions = ask(&server, HANGZHOU, "DescribeRegions", &[]).json().to_string();
    assert!(regions.contains("cn-hangzhou") && regions.contains("cn-shanghai"), "{regions}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_a_call_names_is_the_one_it_reaches_or_it_is_refused() {
    let site = Site::default();
    let server = site.launch().config(CONFIG).start();
    let made = |host: &str, region: &str| ask(&server, host, "CreateKey", &[("RegionId", region)]);
    for (host, region) in [
        ("localhost", "cn-hangzhou"),
        ("localhost", "cn-shanghai"),
        ("kms.cn-beijing.example", "cn-shanghai"),
        (SHANGHAI, "cn-shanghai"),
        (HANGZHOU, "cn-hangzhou"),
    ] {
        let arn = text(&made(host, region), "/KeyMetadata/Arn");
        assert!(arn.starts_with(&format!("acs:kms:{region}:")), "{host} {region}: {arn}");
    }
    let keys =
        |region: &str| ask(&server, "localhost", "ListKeys", &[("RegionId", region)]).json()["TotalCount"].clone();
    let before = (keys("cn-hangzhou"), keys("cn-shanghai"));
    for (host, region) in
        [("localhost", "cn-beijing"), ("localhost", "X"), (SHANGHAI, "cn-hangzhou"), (HANGZHOU, "cn-shanghai")]
    {
        let answer = made(host, region);
        assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidParameter"), "{host} {region}");
        assert!(answer.json()["Message"].as_str().is_some_and(|message| message.contains("\"RegionId\"")));
        // What has no region does not mind, and one can ask which regions there are.
        assert_eq!(ask(&server, host, "DescribeRegions", &[("RegionId", region)]).status, 200);
    }
    assert_eq!((keys("cn-hangzhou"), keys("cn-shanghai")), before);
    // The command line names it.
    let arn = |region: &str| {
        let id = server.jomae(&["key", "create", "--region", region]).ok();
        let words = ["key", "describe", id.text().trim_end(), "--region", region, "--output", "json"];
        server.jomae(&words).ok().json()["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    };
    assert!(arn("cn-shanghai").starts_with("acs:kms:cn-shanghai:"));
    assert!(arn("cn-hangzhou").starts_with("acs:kms:cn-hangzhou:"));
    server
        .jomae(&["key", "create", "--region", "cn-beijing"])
        .failed(3, &["cn-beijing", "--region", "DescribeRegions"]);
}
