//! Reading the configuration from its three places, with errors that say where.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::places::Places;
use super::{Config, Problem, Weight};

/// Prefix of the variables that override keys: `GWBANK__HTTP__LISTEN`.
const VARIABLE_PREFIX: &str = "GWBANK__";

/// Looked for in the working directory when no file is named.
const DEFAULT_FILE: &str = "gwbank.toml";

/// Errors of one file that are told at once.
const ERRORS_LISTED_MAX: usize = 50;

/// Mode bit of a file that every user may read.
const OTHERS_READ: u32 = 0o004;

/// What the command line and the environment say.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub file: Option<PathBuf>,
    /// Name and value of each variable that starts with the prefix.
    pub variables: Vec<(String, String)>,
    /// (option as typed, key, value): the last wins.
    pub options: Vec<(String, String, Value)>,
}

impl Overrides {
    /// The environment of this process, and a file if one was named.
    pub fn from_environment(file: Option<PathBuf>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
            .collect();
        Self { file, variables, options: Vec::new() }
    }

    pub fn option(&mut self, option: &str, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.options.push((option.to_owned(), key.to_owned(), value.into()));
        }
    }

    /// `--set key=value`: the value as TOML, or as text where it is not.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (key, value) = assignment.split_once('=').ok_or_else(|| ConfigError {
            place: "--set".to_owned(),
            problem: format!("{assignment:?} is not KEY=VALUE"),
        })?;
        self.options.push((format!("--set {key}"), key.trim().to_owned(), value_of(value.trim())));
        Ok(())
    }
}

/// A configuration that cannot be used, in one line a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Such as `gwbank.toml:12` or `GWBANK__HTTP__LISTEN`.
    pub place: String,
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// A configuration with what led to it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    pub warnings: Vec<ConfigError>,
}

/// Reads and checks. Gives every error that can be told from the rest.
pub fn load(overrides: &Overrides) -> Result<Loaded, Vec<ConfigError>> {
    let (file, text) = read_file(overrides.file.as_deref()).map_err(|error| vec![error])?;
    let name = file.as_deref().unwrap_or(Path::new(DEFAULT_FILE)).display().to_string();

    let mut config: Config = toml::from_str(&text).map_err(|_| toml_errors(&name, &text))?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| vec![toml_error(&name, &text, &error)])?;
    let mut origins: Vec<(String, String)> = Vec::new();
    let mut variables = overrides.variables.clone();
    variables.sort();
    let from_variables = variables.iter().map(|(variable, value)| {
        let key = variable[VARIABLE_PREFIX.len()..].to_lowercase().replace("__", ".");
        (variable.clone(), key, value_of(value))
    });
    for (place, key, value) in from_variables.chain(overrides.options.iter().cloned()) {
        // Applied one by one, so that the one that is wrong is the one that is named.
        let refused =
            |problem: String| vec![ConfigError { place: place.clone(), problem: format!("{key}: {problem}") }];
        insert(&mut table, &key, value.clone()).map_err(&refused)?;
        config = match Config::deserialize(table.clone()) {
            Ok(config) => config,
            // Text that looks like a number, such as a password.
            Err(error) => match value {
                Value::String(_) => return Err(refused(error.message().to_owned())),
                other => {
                    insert(&mut table, &key, Value::String(plain(&other))).map_err(&refused)?;
                    Config::deserialize(table.clone()).map_err(|_| refused(error.message().to_owned()))?
                }
            },
        };
        origins.push((key, place));
    }

    let mut errors = Vec::new();
    let mut warnings: Vec<ConfigError> =
        file.as_deref().and_then(|file| readable_secret(file, &config)).into_iter().collect();
    let places = Places::of(&text);
    for problem in config.problems() {
        let error = ConfigError { place: place_of(&problem, &name, &places, &origins), problem: problem.to_string() };
        match problem.weight {
            Weight::Error => errors.push(error),
            Weight::Warning => warnings.push(error),
        }
    }
    if errors.is_empty() { Ok(Loaded { config, file, warnings }) } else { Err(errors) }
}

/// A password that stands in the file as it is, where others on this machine can read it.
fn readable_secret(file: &Path, config: &Config) -> Option<ConfigError> {
    let has_password =
        config.mqtt.external.iter().any(|broker| !broker.password.is_empty() || broker.url.contains('@'));
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    (has_password && mode & OTHERS_READ != 0).then(|| ConfigError {
        place: file.display().to_string(),
        problem: "holds a password of mqtt.external and everybody on this machine can read it; chmod 640".to_owned(),
    })
}

fn read_file(named: Option<&Path>) -> Result<(Option<PathBuf>, String), ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((Some(path.to_owned()), text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok((None, String::new())),
        Err(error) => Err(ConfigError {
            place: path.display().to_string(),
            problem: format!("cannot be read: {error}; start from gwbank.example.toml"),
        }),
    }
}

/// A value as TOML has it; anything that is not TOML is text.
fn value_of(text: &str) -> Value {
    let mut table = format!("value = {text}").parse::<Table>().unwrap_or_default();
    match table.remove("value") {
        Some(value) if table.is_empty() => value,
        _ => Value::String(text.to_owned()),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Table(_) => String::new(),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let mut parts: Vec<&str> = key.split('.').collect();
    let Some(last) = parts.pop().filter(|last| !last.is_empty()) else {
        return Err("the key is empty".to_owned());
    };
    let mut place = table;
    for part in parts {
        let entry = place.entry(part.to_owned()).or_insert_with(|| Value::Table(Table::new()));
        match entry {
            Value::Table(inner) => place = inner,
            _ => return Err(format!("{part} is not a section")),
        }
    }
    place.insert(last.to_owned(), value);
    Ok(())
}

/// Every entry that does not fit, in the order of the text, as if the others were not there. One that cannot be left out,
/// such as the url of a broker, is the last that is found.
fn toml_errors(file: &str, text: &str) -> Vec<ConfigError> {
    let mut rest = text.to_owned();
    let mut errors = Vec::new();
    while let Err(error) = toml::from_str::<Config>(&rest) {
        // What is left of the text may lack what was taken out of it.
        let is_consequence = rest.parse::<Table>().is_err() || error.message().starts_with("missing field");
        if !errors.is_empty() && is_consequence {
            break;
        }
        let line = error.span().map(|span| Places::of(&rest).line_at(span.start));
        errors.push((line, toml_error(file, &rest, &error)));
        let entry = error.span().and_then(|span| Places::of(&rest).entry_at(span.start));
        let Some(entry) = entry.filter(|_| errors.len() < ERRORS_LISTED_MAX) else { break };
        // Lines stay where they are.
        let blank: String = rest[entry.clone()].chars().map(|char| if char == '\n' { '\n' } else { ' ' }).collect();
        rest.replace_range(entry, &blank);
    }
    errors.sort_by_key(|(line, _)| *line);
    errors.into_iter().map(|(_, error)| error).collect()
}

fn toml_error(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let message = error.message().trim().replace('\n', "; ");
    let Some(span) = error.span() else {
        return ConfigError { place: file.to_owned(), problem: message };
    };
    let places = Places::of(text);
    let key = places.key_at(span.start).map(|key| format!("{key}: ")).unwrap_or_default();
    let line = places.line_at(span.start);
    ConfigError { place: format!("{file}:{line}"), problem: format!("{key}{message}; see gwbank.example.toml") }
}

/// Where the value of a problem's key comes from.
fn place_of(problem: &Problem, file: &str, places: &Places<'_>, origins: &[(String, String)]) -> String {
    if let Some((_, place)) = origins.iter().rev().find(|(key, _)| problem.key.starts_with(key.as_str())) {
        return place.clone();
    }
    places.line_of(&problem.key).map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, variables: &[(&str, &str)], sets: &[&str]) -> Result<Loaded, Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gwbank.toml");
        std::fs::write(&file, text).unwrap();
        let mut overrides = Overrides { file: Some(file.clone()), ..Overrides::default() };
        overrides.variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        for set in sets {
            overrides.set(set).unwrap();
        }
        let prefix = format!("{}", file.display());
        load(&overrides).map_err(|errors| errors.iter().map(|e| e.to_string().replace(&prefix, "F")).collect())
    }

    fn refused(text: &str) -> String {
        with(text, &[], &[]).unwrap_err().join("\n")
    }

    #[test]
    fn errors_name_file_line_and_key() {
        let unknown = refused("data_dir = \"x\"\n\n[http]\nlistne = \"127.0.0.1:1\"\n");
        assert!(unknown.starts_with("F:4: http.listne: unknown field `listne`, expected `listen`"), "{unknown}");
        let section = refused("[htpp]\nlisten = \"\"\n");
        assert!(section.starts_with("F:1: htpp: unknown field `htpp`"), "{section}");
        let wrong_type = refused("[window]\nbytes_max = \"much\"\n");
        assert!(
            wrong_type.starts_with("F:2: window.bytes_max: invalid type: string \"much\", expected usize"),
            "{wrong_type}"
        );
        let syntax = refused("[http\nlisten = 3\n");
        assert!(syntax.starts_with("F:1: "), "{syntax}");
        let value = refused("[mqtt]\n# listen is below\nlisten = \"nowhere\"\n[query]\nrows_max = 0\n");
        assert!(value.contains("F:3: mqtt.listen: \"nowhere\" has no port; write it as"), "{value}");
        assert!(value.contains("F:5: query.rows_max: 0 is too small; give at least 1"), "{value}");
        let entry = refused(
            "[[auth.tokens]]\nname='a'\nrole='admin'\nsha256='00'\n[[auth.tokens]]\nname='b'\nrole='king'\nsha256=''\n",
        );
        assert!(entry.contains("F:1: auth.tokens[0]: sha256 of \"a\" is not"), "{entry}");
        assert!(entry.contains("F:5: auth.tokens[1]: role \"king\" is not one of"), "{entry}");
    }

    #[test]
    fn one_mistake_hides_no_other() {
        let text = "data_dri = \"x\"\n[http]\nlistne = \"a\"\nlisten = 3\n[query]\nrows_max = [\n  1,\n]\n\
                    [[mqtt.external]]\nurl = \"mqtt://h\"\nclient_id = \"a\"\nca_file = 4\n[window]\nbytes_max = \"much\"\n";
        let said = with(text, &[], &[]).unwrap_err();
        let places: Vec<&str> = said.iter().map(|error| error.split(": ").take(2).last().unwrap()).collect();
        assert_eq!(
            places,
            [
                "data_dri",
                "http.listne",
                "http.listen",
                "query.rows_max",
                "mqtt.external[0].ca_file",
                "window.bytes_max"
            ],
            "{said:?}"
        );
        assert!(said[3].starts_with("F:6: "), "{said:?}");
        let section = refused("[htpp]\nlisten = \"\"\n[query]\nrows_max = \"a\"\n");
        assert_eq!(section.lines().count(), 1, "what belongs to an unknown section is not told apart: {section}");
    }

    #[test]
    fn errors_in_lists_name_line_and_key_too() {
        for (text, expected) in [
            (
                "[[mqtt.external]]\nclient_id = \"a\"\nurl = \"mqtt://h\"\n[[mqtt.external]]\nclient_id = \"b\"\nurl = \"x\"\n",
                "F:6: mqtt.external[1].url: it is no address of a broker",
            ),
            (
                "[[mqtt.external]]\nclient_id = \"a\"\nurl = \"mqtt://\"\n",
                "F:3: mqtt.external[0].url: it is no address of a broker",
            ),
            (
                "[[mqtt.external]]\nurl = \"mqtt://h\"\nclient_id = \"\"\ntopics = []\n",
                "F:4: mqtt.external[0].topics: nothing is subscribed to",
            ),
            ("\n[[mqtt.external]]\nurl = \"mqtt://h\"\n", "F:2: mqtt.external[0]: missing field `client_id`"),
            (
                "[mqtt]\nexternal = [\n  { url = \"mqtt://h\", clientid = \"a\" },\n]\n",
                "F:3: mqtt.external[0].clientid: unknown field `clientid`",
            ),
            (
                "[[ingest.gateways]]\nid = \"g\"\nclock_zone = \"noon\"\n",
                "F:3: ingest.gateways[0].clock_zone: \"noon\" is no zone",
            ),
            (
                "[[device_profiles]]\nname = \"v\"\ngateways = [\"*\"]\n[device_profiles.fields]\nlvl = { unit = \"cm\" }\n",
                "F:5: device_profiles[0].fields.lvl: it says neither parameter nor ignore",
            ),
            (
                "[[device_profiles]]\nname = \"v\"\ngateways = [\"*\"]\nfields.lvl.scale = \"a\"\n",
                "F:4: device_profiles[0].fields.lvl.scale: invalid type: string",
            ),
            (
                "[[auth.users]]\nname = \"a\"\nrole = \"admin\"\npassword = \"p\"\n[[auth.users]]\nname = \"b\"\nrole = \"gateway\"\npassword = \"\"\n",
                "F:5: auth.users[1]: role gateway belongs under [[auth.gateways]]",
            ),
            ("[[auth.gateways]]\nid = \"g\"\npassword = 3\n", "F:3: auth.gateways[0].password: invalid type: integer"),
        ] {
            let said = refused(text);
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn variables_override_the_file_and_options_override_both() {
        let text = "[http]\nlisten = \"127.0.0.1:1\"\n[query]\nrows_max = 5\n";
        let variables = [
            ("GWBANK__HTTP__LISTEN", "127.0.0.1:2"),
            ("GWBANK__QUERY__ROWS_MAX", "7"),
            ("GWBANK__DATA_DIR", "/tmp/12"),
            ("GWBANK__INGEST__SENTINELS", "[-1.5]"),
            ("GWBANK__PUBLIC_URL", "http://x.example"),
        ];
        let loaded = with(text, &variables, &["http.listen=127.0.0.1:3"]).unwrap();
        assert_eq!(loaded.config.http.listen, "127.0.0.1:3");
        assert_eq!(loaded.config.query.rows_max, 7);
        assert_eq!(loaded.config.data_dir, PathBuf::from("/tmp/12"));
        assert_eq!(loaded.config.ingest.sentinels, [-1.5]);
    }

    #[test]
    fn a_wrong_variable_or_option_is_the_one_that_is_named() {
        let error = with("", &[("GWBANK__HTTP__LISTNE", "x")], &[]).unwrap_err();
        assert!(error[0].starts_with("GWBANK__HTTP__LISTNE: http.listne: unknown field `listne`"), "{error:?}");
        let error = with("", &[("GWBANK__QUERY__ROWS_MAX", "many")], &[]).unwrap_err();
        assert!(error[0].starts_with("GWBANK__QUERY__ROWS_MAX: query.rows_max: invalid type"), "{error:?}");
        let error = with("", &[], &["http.listen=0.0.0.0:80"]).unwrap_err();
        assert!(
            error[0].starts_with("--set http.listen: http.listen: 0.0.0.0:80 is reached from outside"),
            "{error:?}"
        );
        let error = with("", &[("GWBANK__HTTP", "x")], &[]).unwrap_err();
        assert!(error[0].starts_with("GWBANK__HTTP: http: invalid type"), "{error:?}");
    }

    #[test]
    fn a_named_file_must_be_there_and_none_is_fine() {
        let overrides = Overrides { file: Some("/nonexistent/gwbank.toml".into()), ..Overrides::default() };
        let errors = load(&overrides).unwrap_err();
        assert!(errors[0].to_string().contains("/nonexistent/gwbank.toml: cannot be read"), "{errors:?}");
    }

    #[test]
    fn a_password_that_everybody_can_read_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gwbank.toml");
        let broker = "[[mqtt.external]]\nurl = \"mqtt://h\"\nclient_id = \"a\"\n";
        let warned = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let overrides = Overrides { file: Some(file.clone()), ..Overrides::default() };
            load(&overrides).unwrap().warnings.iter().any(|warning| warning.problem.contains("chmod 640"))
        };
        let secret = format!("{broker}password = \"s\"\n");
        assert!(warned(&secret, 0o644) && warned(&broker.replace("//h", "//u:p@h"), 0o644));
        assert!(!warned(&secret, 0o640) && !warned(broker, 0o644));
    }
}
