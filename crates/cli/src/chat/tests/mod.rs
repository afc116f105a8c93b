//! The whole chat without a terminal, a client or a clock: inputs go in, intents and screens come out.

mod behaviour;
mod groups;
mod reading;
mod screens;
mod stage;
