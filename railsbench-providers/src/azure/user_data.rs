//! The start-up script of a machine, and how it is handed to Azure: as custom data, which
//! cloud-init of Debian's image runs at the first start.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railsbench_core::provider::{RenderError, UserData, UserDataVars};
use secrecy::SecretString;

use super::naming::{provider_name, shape};
use crate::vm::StartupScript;

/// Longest custom data before base64, in bytes.
/// Source: <https://learn.microsoft.com/rest/api/compute/virtual-machines/create-or-update#osprofile>.
const LONGEST: usize = 65_535;

static SCRIPT: LazyLock<StartupScript> = LazyLock::new(|| {
    StartupScript::new(provider_name(), include_str!("user_data.sh.hbs"), LONGEST)
        .expect("these texts are compiled in, and a test renders them")
});

/// The script of all machines.
pub(super) fn script() -> &'static StartupScript {
    &SCRIPT
}

/// The script of a machine of this size.
pub(super) fn render(vars: &UserDataVars) -> Result<UserData, RenderError> {
    let shape = shape(vars.instance_type.as_str()).map_err(|_| RenderError::Value {
        field: "INSTANCE_TYPE",
        problem: "Azure has no such size",
    })?;
    SCRIPT.render(vars, shape.arch)
}

/// The script as Azure takes it.
pub(super) fn encode(script: &UserData) -> SecretString {
    STANDARD.encode(script.expose()).into()
}
