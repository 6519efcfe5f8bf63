# frozen_string_literal: true

require "stringio"
require_relative "failure"

module Railsbench
  # Sends requests to the application in this process, through its whole middleware stack, as a
  # server would: by a Rack environment, reading and closing the body.
  class InProcessClient
    # A request that can be sent any number of times.
    Request = Struct.new(:environment, :body, :status, keyword_init: true)
    Response = Struct.new(:status, :headers, :body, keyword_init: true)

    def initialize(application = Rails.application)
      require "rack/mock"
      @application = application
    end

    # `status` is the one that the answer must have.
    def request(method, path, accept: "*/*", json: nil, status: 200)
      body = json ? JSON.generate(json) : ""
      environment = Rack::MockRequest.env_for(
        "http://bookshop.example#{path}",
        method: method, input: "", "HTTP_ACCEPT" => accept, "REMOTE_ADDR" => "127.0.0.1",
        "HTTP_USER_AGENT" => "railsbench", "SERVER_PROTOCOL" => "HTTP/1.1"
      )
      if json
        environment["CONTENT_TYPE"] = "application/json"
        environment["CONTENT_LENGTH"] = body.bytesize.to_s
      end
      Request.new(environment: environment, body: body, status: status)
    end

    # Sends a request and returns how long the answer's body is, in bytes.
    def perform(request)
      length = 0
      send_request(request) { |chunk| length += chunk.bytesize }
      length
    end

    # The same, and keeps what was answered.
    def fetch(request)
      body = +""
      status, headers = send_request(request) { |chunk| body << chunk }
      Response.new(status: status, headers: headers, body: body.force_encoding(Encoding::UTF_8))
    end

    private

    def send_request(request, &block)
      environment = request.environment.dup
      environment["rack.input"] = StringIO.new(request.body)
      status, headers, body = @application.call(environment)
      begin
        body.each(&block)
      ensure
        body.close if body.respond_to?(:close)
      end
      refuse(request, status, environment) unless status == request.status
      [status, headers]
    end

    def refuse(request, status, environment)
      error = environment["action_dispatch.exception"]
      reason = error ? ": #{error.class}: #{error.message} at #{error.backtrace&.first}" : ""
      method, path = request.environment.values_at("REQUEST_METHOD", "PATH_INFO")
      raise Failure, "#{method} #{path} answered #{status}, not #{request.status}#{reason}"
    end
  end
end
