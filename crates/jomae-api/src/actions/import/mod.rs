//! Bring your own key.

pub mod delete_key_material;
pub mod get_parameters_for_import;
pub mod import_key_material;
