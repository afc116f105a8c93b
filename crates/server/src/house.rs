//! All roles of the product, put together in one process. Binds no port and waits for nothing.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use hongyan_api::web::WebChat;
use hongyan_api::{AdminKey, Api, Metrics, Readiness, Seen};
use hongyan_cluster::Bus;
use hongyan_domain::app::{AppKey, AppSettings, KeyAlgorithm};
use hongyan_domain::environment::Environment;
use hongyan_domain::measure::{Measure, Measured};
use hongyan_domain::name::Name;
use hongyan_gate::Gate;
use hongyan_gate::ticket::TicketKeys;
use hongyan_logic::{Announcer, Logic, VisitorKeys};
use hongyan_store::sqlite::SqliteStore;
use hongyan_store::{Accounts, Rooms};
use hongyan_wire::noise::StaticKey;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::data::{DEFAULT_APP, DEFAULT_KEY, DEFAULT_ROOM, Data};
use crate::environment::RealEnvironment;
use crate::password_pool::PasswordPool;
use crate::{retention, secret};

/// Which of the ticket keys seals; there is one until keys rotate.
const TICKET_KEY_NUMBER: u8 = 0;

/// A server without doors.
pub struct House {
    /// Holds connections.
    pub gate: Arc<Gate>,
    /// Every HTTP endpoint for operators.
    pub api: Api,
    /// Everything for browsers.
    pub web: Router,
    /// Whether clients are welcome.
    pub readiness: Arc<Readiness>,
    /// What clients pin.
    pub public_key: [u8; 32],
    /// Is to be shut down when the gate has drained.
    pub store: Arc<SqliteStore>,
}

impl House {
    /// Opens the store, reads or makes the secrets, starts the tasks of every role.
    pub async fn open(config: &Config, data: &Data) -> Result<Self> {
        let world = Arc::new(RealEnvironment::new(Handle::current()));
        let environment: Arc<dyn Environment> = world.clone();
        let (noise, tickets, admin) = (data.noise_key()?, data.ticket_key()?, data.admin_key()?);
        let bus = Arc::new(Bus::default());
        let counted = Arc::new(hongyan_logic::Measures::default());
        let announcer = Announcer::new(bus.clone(), &*environment, counted.clone());
        let store = SqliteStore::open(data.folder(), config.store.sqlite(), announcer).context("opening the store")?;
        let key = StaticKey::new(noise);
        let public_key = *key.public();
        prepare_default_app(store.as_ref(), data, &*environment).await.context("making the default app")?;
        let passwords = Arc::new(PasswordPool::start(&config.passwords)?);
        let logic = Logic::new(
            config.logic.clone(),
            store.clone(),
            bus.clone(),
            environment.clone(),
            passwords,
            counted.clone(),
            VisitorKeys::new(data.visitor_keys()?),
        );
        let tickets = TicketKeys::new([(TICKET_KEY_NUMBER, tickets)]);
        let trimming = retention::keep(store.clone(), environment.clone(), config.retention.clone());
        environment.spawn(Box::pin(trimming));
        let gate = Gate::start(config.gate.clone(), key, tickets, logic.clone(), bus, environment);
        let readiness = Arc::new(Readiness::default());
        let parts: Vec<Arc<dyn Measured>> = vec![Arc::new(GatePart(gate.clone())), counted, store.clone(), world];
        let seen = Seen { readiness: readiness.clone(), metrics: Metrics::new(parts) };
        let admin = AdminKey::new(&secret::hex(&admin)).context("the admin key is too short")?;
        let chat = WebChat {
            app: Name::parse(&config.web.app).context("web.app is no name")?,
            sign_up: config.web.sign_up,
            bridge_origins: config.web.bridges()?,
        };
        let pages = hongyan_api::web::routes(logic.clone(), chat);
        let web = hongyan_gate::http::routes(gate.clone(), config.http.clone(), pages);
        let api = Api::new(config.api.clone(), admin, logic, seen);
        Ok(Self { gate, api, web, readiness, public_key, store })
    }
}

/// The first start makes an app with a key, so that there is something to log in to; a start that was cut short is
/// finished by the next. There are no users and no passwords until somebody makes them. The room for the demonstration is
/// made once: a name that was removed is not given again.
async fn prepare_default_app(store: &SqliteStore, data: &Data, environment: &dyn Environment) -> Result<()> {
    let name = |text| Name::parse(text).expect("the default names are valid");
    let now = environment.wall_clock();
    if store.apps().await?.is_empty() {
        store.create_app(name(DEFAULT_APP), AppSettings::default(), now).await?;
    }
    let Some(app) = store.app(name(DEFAULT_APP)).await? else { return Ok(()) };
    store.create_room(app.id, name(DEFAULT_ROOM), now).await?;
    if !store.keys(app.id).await?.is_empty() {
        return Ok(());
    }
    let key = AppKey {
        app: app.id,
        key_id: name(DEFAULT_KEY),
        algorithm: KeyAlgorithm::Hs256,
        material: data.default_app_key()?.to_vec(),
        created: now,
        revoked: None,
    };
    store.add_key(key).await?;
    Ok(())
}

/// The gate's numbers.
struct GatePart(Arc<Gate>);

impl Measured for GatePart {
    fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
        self.0.measures().visit(see);
    }
}
