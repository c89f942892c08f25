//! CloudTrail, JSON 1.1. Source of the shapes: AWS CloudTrail API Reference.

use serde_json::{Value, json};

use super::world::{Trail, World};
use super::{Call, Fault, json_body, page, required};

pub(super) fn answer(world: &mut World, call: &Call<'_>, operation: &str) -> Result<Value, Fault> {
    let body = json_body(call)?;
    if operation == "LookupEvents" {
        return lookup(world, call, &body);
    }
    let trails = &world.account(&call.caller.account).trails;
    if operation == "DescribeTrails" {
        // Shadow trails appear in every region unless they are excluded; a single-region trail only in its own.
        let shadows = body
            .get("includeShadowTrails")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let list: Vec<Value> = trails
            .iter()
            .filter(|trail| trail.region == call.caller.region || (shadows && trail.multi_region))
            .map(describe)
            .collect();
        return Ok(json!({"trailList": list}));
    }
    let name = if operation == "GetTrailStatus" {
        required(&body, "Name")?
    } else {
        required(&body, "TrailName")?
    };
    let trail = trails
        .iter()
        .find(|trail| trail.arn == name || trail.name == name)
        .ok_or_else(|| Fault::new(400, "TrailNotFoundException", format!("Unknown trail: {name}")))?;
    match operation {
        "GetTrailStatus" => {
            let mut status = json!({"IsLogging": trail.logging});
            if let Some(time) = trail.last_delivery {
                status["LatestDeliveryTime"] = json!(time);
            }
            Ok(status)
        }
        "GetEventSelectors" => {
            let mut selectors = trail.selectors.clone();
            selectors["TrailARN"] = json!(trail.arn);
            Ok(selectors)
        }
        other => Err(Fault::new(
            400,
            "UnsupportedOperationException",
            format!("cloudtrail:{other} is not part of this fake"),
        )),
    }
}

fn describe(trail: &Trail) -> Value {
    json!({
        "Name": trail.name,
        "TrailARN": trail.arn,
        "HomeRegion": trail.region,
        "S3BucketName": trail.bucket,
        "IncludeGlobalServiceEvents": true,
        "IsMultiRegionTrail": trail.multi_region,
        "IsOrganizationTrail": false,
        "LogFileValidationEnabled": trail.validation,
        "HasCustomEventSelectors": true,
    })
}

/// Newest first, 50 a page, the token only valid with the same times.
fn lookup(world: &mut World, call: &Call<'_>, body: &Value) -> Result<Value, Fault> {
    let seconds = |name: &str| body.get(name).and_then(Value::as_f64).map(|value| value as i64);
    let (start, end) = (
        seconds("StartTime").unwrap_or(0),
        seconds("EndTime").unwrap_or(i64::MAX),
    );
    if start > end {
        return Err(Fault::new(
            400,
            "InvalidTimeRangeException",
            "StartTime is after EndTime",
        ));
    }
    let size = body.get("MaxResults").and_then(Value::as_u64).unwrap_or(50);
    if !(1..=50).contains(&size) {
        return Err(Fault::new(
            400,
            "InvalidMaxResultsException",
            "MaxResults must be 1 to 50",
        ));
    }
    let region = call.caller.region.clone();
    let events = world
        .account(&call.caller.account)
        .events
        .entry(region)
        .or_default();
    let mut hits: Vec<&(i64, Value)> = events
        .iter()
        .filter(|(time, _)| (start..=end).contains(time))
        .collect();
    hits.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let parameters = format!("LookupEvents/{start}/{end}/{size}");
    let (hits, next) = page(
        &hits,
        size as usize,
        &parameters,
        body.get("NextToken").and_then(Value::as_str),
    )?;
    let list: Vec<Value> = hits
        .iter()
        .map(|(time, record)| {
            json!({
                "EventId": record["eventID"],
                "EventName": record["eventName"],
                "EventSource": record["eventSource"],
                "EventTime": time,
                "CloudTrailEvent": record.to_string(),
            })
        })
        .collect();
    let mut answer = json!({"Events": list});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}
