//! What may be typed after `hongyan`. Only shapes; what they mean is in the module named like the command.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hongyan_cli::ClientCommand;

/// An instant-messaging server, its administration, and a terminal client.
#[derive(Debug, Parser)]
#[command(name = "hongyan", version, max_term_width = 100, args_override_self = true)]
pub struct Arguments {
    /// Configuration file [default: hongyan.toml, if there is one]
    #[arg(long, global = true, env = "HONGYAN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Serve),
    /// Make, list and change apps (tenants) on a running server
    #[command(subcommand)]
    App(App),
    /// Add, list and revoke the keys with which an app's own server signs tokens
    #[command(subcommand)]
    Key(Key),
    /// Make, list, disable and enable users, set passwords, and say who takes visitors
    #[command(subcommand)]
    User(User),
    /// Make the next key that signs visitors' marks
    #[command(subcommand)]
    VisitorKey(VisitorKey),
    /// Make, list and remove rooms, which everybody of an app may enter
    #[command(subcommand)]
    Room(Room),
    /// Make tokens, for development: in production the app's own server does
    #[command(subcommand)]
    Token(Token),
    /// Copy the store of a data folder into one file, also while its server runs
    Backup(Backup),
    /// Make the store of a data folder from a backup
    Restore(Restore),
    /// Check or print the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Examine this machine and the data folder
    Doctor(Doctor),
    /// Ask a running server whether it takes clients; fails if not
    Health(Server),
    #[command(flatten)]
    Client(ClientCommand),
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Folder of everything that must survive (server.data)
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address for clients (server.listen); port 0 chooses one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address for health, metrics and administration (server.http_listen); port 0 chooses one
    #[arg(long, value_name = "ADDRESS")]
    pub http: Option<SocketAddr>,
    /// Address for browsers (web.listen); port 0 chooses one
    #[arg(long, value_name = "ADDRESS")]
    pub web: Option<SocketAddr>,
    /// Once clients are welcome, write addresses and process id into this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

impl Serve {
    /// Keys of the configuration that these arguments set.
    pub fn overrides(&self) -> Vec<(&'static str, String)> {
        let data = self.data.as_ref().map(|data| ("server.data", data.display().to_string()));
        let listen = self.listen.map(|address| ("server.listen", address.to_string()));
        let http = self.http.map(|address| ("server.http_listen", address.to_string()));
        let web = self.web.map(|address| ("web.listen", address.to_string()));
        [data, listen, http, web].into_iter().flatten().collect()
    }
}

/// Which server is administered, and with which key.
#[derive(Debug, Args)]
pub struct Server {
    /// HTTP address of the server [default: server.http_listen of the configuration]
    #[arg(long, env = "HONGYAN_HTTP", value_name = "ADDRESS")]
    pub http: Option<SocketAddr>,
    /// Data folder where the admin key lies [default: server.data]; HONGYAN_ADMIN_KEY replaces the file
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum App {
    /// Make an app
    Create {
        /// 1-64 of A-Z a-z 0-9 . _ - @
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// List apps and their settings
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Change settings of an app
    Set {
        /// The app
        name: String,
        /// Such as recall_seconds_max=300 or sessions_per_term_max.mobile=2
        #[arg(required = true, value_name = "SETTING=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Algorithm {
    /// HMAC with SHA-256; the file holds the secret in hexadecimal
    Hs256,
    /// Ed25519; the file holds the public key in hexadecimal
    Eddsa,
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Add a key
    Add {
        /// The `kid` of tokens
        key_id: String,
        /// How tokens are signed
        #[arg(long, value_enum, default_value = "hs256")]
        algorithm: Algorithm,
        /// File with the key; without it a secret is made and written to DATA/apps/APP/KEY_ID.key
        #[arg(long, value_name = "FILE", required_if_eq("algorithm", "eddsa"))]
        file: Option<PathBuf>,
        #[command(flatten)]
        place: InApp,
    },
    /// List the keys of an app, without their secrets
    List {
        #[command(flatten)]
        place: InApp,
    },
    /// Refuse tokens of a key from now on
    Revoke {
        /// The key
        key_id: String,
        #[command(flatten)]
        place: InApp,
    },
}

/// An app of a server.
#[derive(Debug, Args)]
pub struct InApp {
    /// The app
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub app: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Debug, Subcommand)]
pub enum User {
    /// Make a user; the password is asked for, or read as one line from standard input
    Create {
        /// 1-64 of A-Z a-z 0-9 . _ - @
        name: String,
        /// Make a user who can only log in with tokens
        #[arg(long)]
        no_password: bool,
        #[command(flatten)]
        place: InApp,
    },
    /// Set a new password, asked for in the same way, and end all sessions of the user
    Password {
        /// The user
        name: String,
        #[command(flatten)]
        place: InApp,
    },
    /// End all sessions of a user and allow no new one
    Disable {
        /// The user
        name: String,
        #[command(flatten)]
        place: InApp,
    },
    /// Allow a user to log in again
    Enable {
        /// The user
        name: String,
        #[command(flatten)]
        place: InApp,
    },
    /// Let visitors of web sites write to a user, and the user answer them
    TakeVisitors {
        /// The user
        name: String,
        #[command(flatten)]
        place: InApp,
    },
    /// Let no visitor write to a user any more
    RefuseVisitors {
        /// The user
        name: String,
        #[command(flatten)]
        place: InApp,
    },
    /// List users by name
    List {
        /// Begin after this name
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        place: InApp,
    },
}

#[derive(Debug, Subcommand)]
pub enum VisitorKey {
    /// Make a key in a data folder; its server signs with it from its next start on, and still knows marks of older keys
    Rotate {
        /// Data folder [default: server.data]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Room {
    /// Make a room
    Add {
        /// The app
        app: String,
        /// 1-64 of A-Z a-z 0-9 . _ - @
        room: String,
        #[command(flatten)]
        server: Server,
    },
    /// List the rooms of an app, by name
    List {
        /// The app
        app: String,
        #[command(flatten)]
        server: Server,
    },
    /// Remove a room for ever; its name is never given again
    Remove {
        /// The app
        app: String,
        /// The room
        room: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Sign a token with a secret (HS256) and print it
    Mint {
        /// The user who may log in with it
        user: String,
        /// The app
        #[arg(long, default_value = "default", value_name = "NAME")]
        app: String,
        /// The `kid`: which key of the app signs
        #[arg(long, default_value = "main", value_name = "ID")]
        key_id: String,
        /// File with the secret [default: DATA/apps/APP/KEY_ID.key]
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// Data folder [default: server.data]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Seconds for which it can be used to log in
        #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
        expires_in: u64,
    },
}

#[derive(Debug, Args)]
pub struct Backup {
    /// File to write; must not exist
    pub to: PathBuf,
    /// Data folder [default: server.data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    pub from: PathBuf,
    /// Data folder without a store [default: server.data]; the secrets in it are kept
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration as `serve` would, and say what is wrong with it
    Check,
    /// Print the configuration that `serve` would use
    Print {
        /// Print the commented defaults instead
        #[arg(long)]
        default: bool,
    },
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
