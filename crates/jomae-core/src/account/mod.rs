//! The service as the account sees it. One file an action.

mod describe_account_kms_status;
mod describe_regions;
mod describe_server;
mod open_kms_service;
