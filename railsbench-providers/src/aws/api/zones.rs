//! Where in a region a machine can be: zones that offer its type and have a default subnet.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::LocationType;

use super::{Failure, RegionApi, filter};

/// A zone that can take machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Zone {
    /// E.g. `us-east-1a`.
    pub(in super::super) name: String,
    /// The subnet there that gives machines a public address.
    pub(in super::super) subnet: String,
}

impl RegionApi {
    /// The zones that offer an instance type, in the order of their names.
    pub(in super::super) async fn offered_in(
        &self,
        instance_type: &str,
    ) -> Result<Vec<String>, Failure> {
        let mut zones = Vec::new();
        let mut pages = self
            .ec2
            .describe_instance_type_offerings()
            .location_type(LocationType::AvailabilityZone)
            .filters(filter("instance-type", instance_type))
            .into_paginator()
            .items()
            .send();
        while let Some(offering) = pages.next().await {
            let offering = offering.map_err(|error| {
                Failure::new(format!("asking where {instance_type} is offered"), &error)
            })?;
            zones.extend(offering.location);
        }
        zones.sort();
        Ok(zones)
    }

    /// The default network of the region; there is none where it was deleted.
    pub(in super::super) async fn default_vpc(&self) -> Result<Option<String>, Failure> {
        let call = self.ec2.describe_vpcs().filters(filter("is-default", "true"));
        let answer = call.send().await;
        let answer = answer.map_err(|error| Failure::new("looking for the default VPC", &error))?;
        Ok(answer.vpcs.unwrap_or_default().into_iter().find_map(|vpc| vpc.vpc_id))
    }

    /// The default network of the region, made anew. EC2 makes what belongs to it, in each zone.
    pub(in super::super) async fn create_default_vpc(&self) -> Result<String, Failure> {
        const ACTION: &str = "making a default VPC";
        match self.ec2.create_default_vpc().send().await {
            Ok(answer) => answer
                .vpc
                .and_then(|vpc| vpc.vpc_id)
                .ok_or_else(|| Failure::strange(ACTION, "the answer names no VPC")),
            Err(error) => {
                let failure = Failure::new(ACTION, &error);
                // Somebody else was faster.
                match self.default_vpc().await? {
                    Some(vpc) if failure.is("DefaultVpcAlreadyExists") => Ok(vpc),
                    _ => Err(failure),
                }
            }
        }
    }

    /// The default subnet of each zone of a network.
    pub(in super::super) async fn subnets(
        &self,
        vpc: &str,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let mut subnets = BTreeMap::new();
        let mut pages = self
            .ec2
            .describe_subnets()
            .filters(filter("vpc-id", vpc))
            .filters(filter("default-for-az", "true"))
            .into_paginator()
            .items()
            .send();
        while let Some(subnet) = pages.next().await {
            let subnet = subnet.map_err(|error| Failure::new("listing subnets", &error))?;
            if let (Some(zone), Some(id)) = (subnet.availability_zone, subnet.subnet_id) {
                subnets.insert(zone, id);
            }
        }
        Ok(subnets)
    }
}
