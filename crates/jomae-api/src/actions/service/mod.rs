//! The service as a whole.

pub mod describe_account_kms_status;
pub mod describe_regions;
pub mod describe_server;
pub mod open_kms_service;
