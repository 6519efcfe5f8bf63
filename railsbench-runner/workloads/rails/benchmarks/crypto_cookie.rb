# frozen_string_literal: true

require "rack/mock"

module Railsbench
  module Benchmarks
    # Rails' cookie and session middleware alone. An iteration is one visit: it reads the encrypted
    # session and an encrypted and a signed cookie of the visit before, and writes all three anew.
    class CryptoCookie < Benchmark
      iterations_per_sample 50

      private

      def prepare
        session = { key: "_bookshop_session" }
        endpoint = method(:visit)
        @stack = Rack::Builder.app do
          use ActionDispatch::Cookies
          use ActionDispatch::Session::CookieStore, session
          run endpoint
        end
        @environment = Rails.application.env_config.merge(Rack::MockRequest.env_for("/"))
      end

      def check
        iterate
        expect "visits that the session counted", self.class.iterations_per_sample, @visits
        expect "basket in the encrypted cookie", basket(@visits - 1), @basket
        expect "signed cookie", @visits - 1, @signed
        # Neither is to be read from outside.
        expect "plain text in the cookies", nil, @cookies[/basket|visits/]

        tampered = @cookies.sub(/remember=.{8}/, "remember=XXXXXXXX")
        @stack.call(@environment.merge("HTTP_COOKIE" => tampered))
        expect "a signed cookie that was changed", nil, @signed
      end

      def iterate
        @cookies = nil
        self.class.iterations_per_sample.times do
          environment = @environment.dup
          environment["HTTP_COOKIE"] = @cookies if @cookies
          _status, headers, body = @stack.call(environment)
          body.close if body.respond_to?(:close)
          @cookies = cookies_set_by(headers)
        end
      end

      def visit(environment)
        request = ActionDispatch::Request.new(environment)
        jar = request.cookie_jar
        @basket = jar.encrypted[:cart]
        @signed = jar.signed[:remember]
        @visits = (request.session[:visits] || 0) + 1
        request.session[:visits] = @visits
        request.session[:user] = { "id" => 42, "name" => "Ada Abel", "roles" => %w[reader editor] }
        jar.encrypted[:cart] = { value: basket(@visits), httponly: true, expires: Time.utc(2030) }
        jar.signed[:remember] = @visits
        [200, {}, []]
      end

      def basket(visit)
        { "basket" => (1..10).map { |book| { "book" => book, "quantity" => visit } } }
      end

      # The header is a list from Rack 3 on, and lines of one string before.
      def cookies_set_by(headers)
        lines = Array(headers["set-cookie"] || headers["Set-Cookie"]).flat_map(&:lines)
        lines.map { |line| line[/\A[^;]+/] }.join("; ")
      end
    end
  end
end
