//! What calls do: what moto does, and what EC2 does and moto does not.

use std::io::Read;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use super::calls::Call;
use super::proxy::Front;

const NAMESPACE: &str = "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"";

/// The image that stands for Debian's newest of an architecture.
pub fn debian(arch: &str) -> String {
    format!("ami-0debian12{arch}")
}

impl Front {
    pub(super) async fn effect(&self, call: &Call, headers: &HeaderMap, body: Bytes) -> Response {
        match call.action.as_str() {
            "GetParameter" if call.value("Name").starts_with("/aws/service/debian/release/12/") => {
                let arch = call.value("Name").rsplit('/').next().unwrap_or_default();
                let parameter = serde_json::json!({"Parameter": {
                    "Name": call.value("Name"), "Type": "String", "Value": debian(arch), "Version": 1,
                }});
                json(StatusCode::OK, &parameter)
            }
            "GetServiceQuota" => match self.shared.lock().unwrap().quota {
                Some(value) => {
                    json(StatusCode::OK, &serde_json::json!({"Quota": {"Value": value}}))
                }
                None => refuse(headers, 400, "AccessDeniedException"),
            },
            "RunInstances" if call.value("DryRun") != "true" => {
                self.run_instances(call, headers, body).await
            }
            "DescribeInstanceTypeOfferings" => {
                let asked = call.values.iter().filter(|(key, _)| key.contains(".Value."));
                let offers = asked.filter_map(|(_, value)| {
                    let zones = self.shared.lock().unwrap().offers.get(value).cloned();
                    zones.map(|zones| offerings(value, &zones))
                });
                match offers.collect::<Vec<_>>().pop() {
                    Some(answer) => answer,
                    None => self.forward(headers, body).await,
                }
            }
            "DescribeInstances" => {
                self.end_what_shut_down(call, headers).await;
                self.forward(headers, body).await
            }
            "TerminateInstances" => {
                let answer = self.ask(headers, body).await;
                if answer.0.is_success() {
                    self.end(call);
                }
                answer.into_response()
            }
            "GetConsoleOutput" => {
                let id = call.value("InstanceId");
                let key = format!("{}/{id}", call.region);
                let log = self.shared.lock().unwrap().machines.log(&key);
                match log {
                    Some(log) => console_output(id, &log),
                    None => self.forward(headers, body).await,
                }
            }
            _ => self.forward(headers, body).await,
        }
    }

    /// moto starts an instance each time; EC2 does so once for each client token.
    async fn run_instances(&self, call: &Call, headers: &HeaderMap, body: Bytes) -> Response {
        let key = (call.region.clone(), call.value("ClientToken").to_owned());
        assert!((1..=64).contains(&key.1.len()), "{:?} is no client token", key.1);
        let before = self.shared.lock().unwrap().tokens.get(&key).cloned();
        if let Some((first, instance)) = before {
            if first != body {
                return refuse(headers, 400, "IdempotentParameterMismatch");
            }
            let describe =
                format!("Action=DescribeInstances&Version=2016-11-15&InstanceId.1={instance}");
            let (status, text) = self.ask(headers, describe.into()).await;
            let (start, end) = ("<reservationSet><item>", "</item></reservationSet>");
            let inner = text.split_once(start).and_then(|(_, rest)| rest.split_once(end));
            let inner = inner.unwrap_or_else(|| panic!("{text}")).0;
            let answer =
                format!("<RunInstancesResponse {NAMESPACE}>{inner}</RunInstancesResponse>");
            return (status, answer).into_response();
        }
        let (status, text) = self.ask(headers, body.clone()).await;
        if status.is_success() {
            let id = text.split_once("<instanceId>").and_then(|(_, rest)| rest.split_once('<'));
            let id = id.unwrap().0.to_owned();
            let mut shared = self.shared.lock().unwrap();
            if !call.value("UserData").is_empty() {
                let script = script(call.value("UserData"));
                shared.machines.start(&format!("{}/{id}", call.region), &script);
            }
            shared.tokens.insert(key, (body, id));
        }
        (status, text).into_response()
    }

    /// An instance that shuts down is terminated, if it was started so.
    async fn end_what_shut_down(&self, call: &Call, headers: &HeaderMap) {
        let prefix = format!("{}/", call.region);
        let ended = self.shared.lock().unwrap().machines.ended(&prefix);
        for id in ended {
            let id = id.strip_prefix(&prefix).unwrap();
            let terminate =
                format!("Action=TerminateInstances&Version=2016-11-15&InstanceId.1={id}");
            let (status, text) = self.ask(headers, terminate.into()).await;
            assert!(status.is_success(), "{text}");
        }
    }

    fn end(&self, call: &Call) {
        let ids = call.values.iter().filter(|(key, _)| key.starts_with("InstanceId."));
        let mut shared = self.shared.lock().unwrap();
        for (_, id) in ids {
            shared.machines.end(&format!("{}/{id}", call.region));
        }
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        self.ask(headers, body).await.into_response()
    }

    async fn ask(&self, headers: &HeaderMap, body: Bytes) -> (StatusCode, String) {
        let mut request = self.http.post(self.moto.clone()).body(body);
        for name in ["authorization", "content-type", "x-amz-target", "x-amz-date"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }
}

/// User data as a machine reads it: from base64, and unpacked if it was packed.
fn script(user_data: &str) -> String {
    let data = STANDARD.decode(user_data).unwrap();
    let mut text = String::new();
    if data.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(&data[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(data).unwrap();
    }
    text
}

fn offerings(instance_type: &str, zones: &[String]) -> Response {
    let items = zones.iter().map(|zone| {
        format!(
            "<item><instanceType>{instance_type}</instanceType>\
             <locationType>availability-zone</locationType><location>{zone}</location></item>"
        )
    });
    format!(
        "<DescribeInstanceTypeOfferingsResponse {NAMESPACE}><requestId>1</requestId>\
         <instanceTypeOfferingSet>{}</instanceTypeOfferingSet>\
         </DescribeInstanceTypeOfferingsResponse>",
        items.collect::<String>()
    )
    .into_response()
}

fn console_output(id: &str, log: &str) -> Response {
    let output = STANDARD.encode(log);
    format!(
        "<GetConsoleOutputResponse {NAMESPACE}><requestId>1</requestId><instanceId>{id}</instanceId>\
         <timestamp>2026-11-24T10:00:00.000Z</timestamp><output>{output}</output>\
         </GetConsoleOutputResponse>"
    )
    .into_response()
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let headers = [("content-type", "application/x-amz-json-1.1")];
    (status, headers, value.to_string()).into_response()
}

/// An error in the form of the service that was called.
pub(super) fn refuse(headers: &HeaderMap, status: u16, code: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let message = format!("the test says {code}");
    if headers.contains_key("x-amz-target") {
        return json(status, &serde_json::json!({"__type": code, "message": message}));
    }
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let text = if authorization.is_some_and(|value| value.contains("/sts/")) {
        format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>")
    } else {
        format!("<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>")
    };
    (status, text).into_response()
}
