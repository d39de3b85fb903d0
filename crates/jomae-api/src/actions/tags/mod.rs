//! Tags, in both generations of actions.

pub mod list_resource_tags;
pub mod list_tag_resources;
pub mod resource;
pub mod tag_resource;
pub mod tag_resources;
pub mod untag_resource;
pub mod untag_resources;
