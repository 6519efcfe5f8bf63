//! Which failures another attempt at the same call can put right, where the SDK cannot know.

use aws_sdk_ec2::config::interceptors::InterceptorContext;
use aws_sdk_ec2::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;

use super::failure::is_lack_of_capacity;

/// EC2 answers that it has no capacity as a server error, which is tried again by default. But
/// capacity does not come within seconds; another zone may have it now. And a security group that
/// was just made is unknown at first to who starts instances, which would not be tried again.
#[derive(Debug)]
pub(super) struct StartsAgain;

impl ClassifyRetry for StartsAgain {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(|error| error.as_operation_error());
        let error = error.and_then(|error| error.downcast_ref::<RunInstancesError>());
        match error.and_then(ProvideErrorMetadata::code) {
            Some(code) if is_lack_of_capacity(code) => RetryAction::RetryForbidden,
            Some("InvalidGroup.NotFound") => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "whether to start an instance again"
    }
}
